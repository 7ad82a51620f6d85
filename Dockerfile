# One image, one binary: the migrations are inside it. Build: docker build -t postern .
#
# Run with SQLite:      docker run -p 8080:8080 -v postern:/var/lib/postern \
#                         -e POSTERN_PUBLIC_URL=https://id.example.com postern
# Run with PostgreSQL:  add -e POSTERN_DATABASE__URL_FILE=… -e POSTERN_SECURITY__INSTALLATION_KEY_FILE=…

FROM rust:1.95-bookworm AS build
RUN apt-get update \
    && apt-get install --yes --no-install-recommends clang libclang-dev libssl-dev libxml2-dev libxmlsec1-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY config config
COPY migrations migrations
COPY src src
RUN cargo build --release --locked --bin postern

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 libxml2 libxmlsec1 libxmlsec1-openssl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --home-dir /var/lib/postern postern \
    && install --directory --owner postern --group postern --mode 0700 /var/lib/postern
COPY --from=build /build/target/release/postern /usr/local/bin/postern
ENV POSTERN_DATA_DIR=/var/lib/postern \
    POSTERN_HTTP__LISTEN=0.0.0.0:8080
USER 10001:10001
WORKDIR /var/lib/postern
VOLUME /var/lib/postern
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=10s CMD ["postern", "health"]
ENTRYPOINT ["postern"]
CMD ["serve"]
