# make run      installs what is missing, builds the release binary and starts the demo
# make test     installs what is missing, then formatting, lints and all tests, on SQLite and on PostgreSQL
# make fuzz     installs what is missing, then runs each fuzz target of the engines for a minute (FUZZ_SECONDS)
# make differential  bends responses by the hundred thousand (MUTANTS, SEED) and compares with other libraries
# make bench    measures on loopback beside the machine's yardsticks
# make order    finds out by callgrind what the binary's start runs, for the linker to lay it side by side
# make setup    only installs what is missing
#
# Packages come from Debian 12 by apt-get, as root or by sudo; when all are there, nothing is asked.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# A linker and the libraries that the binary is built against.
BUILD_PACKAGES := build-essential ca-certificates libclang-dev libssl-dev libxml2-dev libxmlsec1-dev pkg-config
# Real peers: a browser, a database, a SAML identity provider, a plain HTTP client, an encrypter of XML, and what the
# Python ones (SCIM testers, SAML libraries) are installed with.
TEST_PACKAGES := chromium chromium-driver curl fonts-dejavu-core postgresql simplesamlphp php-cli php-xml php-mbstring \
	python3-venv xmlsec1

TARGET := $(or $(CARGO_TARGET_DIR),target)
CARGO := cargo

# Installs those of $(1) that dpkg does not know as installed.
define install
	@missing=""; \
	for package in $(1); do \
		status="$$(dpkg-query --show --showformat='$${Status}' "$$package" 2>/dev/null || true)"; \
		[ "$$status" = "install ok installed" ] || missing="$$missing $$package"; \
	done; \
	[ -n "$$missing" ] || exit 0; \
	echo "Installing$$missing"; \
	command -v apt-get >/dev/null || { echo "There is no apt-get here: install the above by hand." >&2; exit 1; }; \
	sudo=""; \
	if [ "$$(id -u)" != 0 ]; then \
		command -v sudo >/dev/null || { echo "Run this as root, or install sudo." >&2; exit 1; }; \
		sudo=sudo; \
	fi; \
	apt="$$sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300"; \
	$$apt update </dev/null; \
	$$apt install --no-install-recommends $$missing </dev/null
endef

.PHONY: help run test fuzz differential bench order setup build-packages test-packages python-peers check

help:
	@sed -n '/^# make/s/^# //p' $(firstword $(MAKEFILE_LIST))

run: build-packages
	$(CARGO) build --release --locked --bin postern
	@exec $(TARGET)/release/postern demo

# The tests use a PostgreSQL cluster of their own and never the one that Debian's package may have started.
test: check
	$(CARGO) test --locked --workspace --doc
	$(CARGO) test --locked --workspace --lib --bins --tests --no-fail-fast

check: build-packages test-packages python-peers
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings

# The engines alone, under the address sanitizer. That flag is for nightly compilers, but a stable one takes it too when
# told that it is its own bootstrap. What is found stays in tests/fuzz/artifacts, the corpus in tests/fuzz/corpus.
FUZZ_SECONDS ?= 60
CARGO_FUZZ := $(abspath $(TARGET))/tools/cargo-fuzz
FUZZ := RUSTC_BOOTSTRAP=1 PATH="$(CARGO_FUZZ)/bin:$$PATH" $(CARGO) fuzz

fuzz: build-packages
	@test -x $(CARGO_FUZZ)/bin/cargo-fuzz || \
		$(CARGO) install --locked --root $(CARGO_FUZZ) --target-dir $(TARGET)/tools/build --version 0.13.2 cargo-fuzz
	$(FUZZ) build --fuzz-dir tests/fuzz --target-dir $(TARGET)/fuzz
	@for target in filter path patch message response decryption; do \
		case $$target in response | decryption) words=saml ;; *) words=scim ;; esac; \
		echo "Fuzzing $$target for $(FUZZ_SECONDS) seconds"; \
		$(FUZZ) run --fuzz-dir tests/fuzz --target-dir $(TARGET)/fuzz $$target -- \
			-dict=tests/fuzz/$$words.dict -max_total_time=$(FUZZ_SECONDS) -max_len=10000 -verbosity=0 -print_final_stats=1; \
	done

# Mutated SAML responses: whatever the gateway accepts, python3-saml and pysaml2 must read in the same way.
MUTANTS ?= 100000
SEED ?= 1

differential: build-packages test-packages python-peers
	POSTERN_MUTANTS=$(MUTANTS) POSTERN_SEED=$(SEED) $(CARGO) test --locked --test it -- --nocapture \
		saml::differential::

bench: build-packages test-packages
	$(CARGO) build --release --locked --bin postern
	$(CARGO) bench --locked --bench gateway

order: build-packages test-packages
	$(call install,valgrind)
	$(CARGO) build --release --locked --bin postern
	$(CARGO) bench --locked --bench gateway -- order

setup: build-packages test-packages python-peers

build-packages:
	$(call install,$(BUILD_PACKAGES))

test-packages: build-packages
	$(call install,$(TEST_PACKAGES))

python-peers: test-packages
	@mkdir -p $(TARGET)
	@sh tests/it/support/python.sh "$$(cd $(TARGET) && pwd)" tests/fixtures/python-requirements.txt >/dev/null
