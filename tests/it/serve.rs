//! The listener through real sockets: dawdling clients, limits, TLS with reload, graceful end, proxies, and
//! refusals of the framework in the dialect of the API.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use poem::{
    Endpoint, EndpointExt, IntoResponse, Request, Response, Route, endpoint::make, handler, http::StatusCode,
};
use poem_openapi::{
    Object, OpenApi, OpenApiService,
    param::{Path, Query},
    payload::Json,
};
use postern::http::{
    extract::{ClientIp, TrustedProxies},
    guard::Deadlines,
    health,
    limits::{LimitClock, LimitPolicy, Limiter, enforce},
    methods::Methods,
    middleware::{
        Allowed, BodyLimit, ErrorDress, HeaderProfile, Metrics, PanicGuard, RateLimitHeaders, RequestId,
        RequestIds, RequestTimeout, SecurityHeaders, Trace,
    },
    payload::{Dialect, JsonBody},
    server::{Listen, Server, ServerOptions},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};
use uuid::Uuid;

mod tls;

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(5);

#[derive(Object)]
#[oai(deny_unknown_fields)]
struct CreateThing {
    name: String,
}

struct Api;

#[OpenApi]
#[expect(clippy::unused_async, reason = "poem-openapi takes async functions only")]
impl Api {
    #[oai(path = "/things/:thing_id", method = "get")]
    async fn get_thing(&self, thing_id: Path<Uuid>, limit: Query<Option<u32>>) -> Json<String> {
        Json(format!("{} {:?}", thing_id.0, limit.0))
    }

    #[oai(path = "/things", method = "post")]
    async fn create_thing(&self, body: JsonBody<CreateThing>) -> Json<String> {
        Json(body.0.name)
    }
}

#[handler]
async fn slow() -> &'static str {
    tokio::time::sleep(SHORT * 3).await;
    "slow but whole"
}

#[handler]
fn who(client: ClientIp, id: RequestId) -> String {
    format!("{} {}", client.0.map(|ip| ip.to_string()).unwrap_or_default(), id.as_str())
}

#[handler]
fn echo(body: Vec<u8>) -> Vec<u8> {
    body
}

#[handler]
fn panics() -> &'static str {
    panic!("on purpose")
}

fn app(metrics: &Metrics) -> impl Endpoint + 'static {
    let api = Dialect::problem("https://id.example.com");
    let document = OpenApiService::new(Api, "things", "1").spec();
    let limiter = Arc::new(Limiter::new(
        LimitPolicy::new("address", 2.try_into().unwrap(), Duration::from_mins(1)),
        LimitClock::default(),
    ));
    let limited = make(move |request: Request| {
        let refusal = enforce(&request, &limiter, &ClientIp::of(&request).0).err();
        async move { refusal.map_or(Ok("passed"), |problem| Err(poem::Error::from(problem))) }
    });
    let counter = AtomicU64::new(1);
    let rest = Route::new()
        .nest("/", OpenApiService::new(Api, "things", "1"))
        .at("/slow", Methods::new().get(slow))
        .at("/who", Methods::new().get(who))
        .at("/echo", Methods::new().post(echo))
        .at("/panics", Methods::new().get(panics))
        .at("/large", Methods::new().get(make(|_| async { vec![0_u8; 64 * 1024 * 1024] })))
        .at("/limited", Methods::new().get(limited))
        .with(BodyLimit { max_bytes: 1000, arrive_within: SHORT, dialect: api.clone() })
        .with(RequestTimeout { limit: LONG, dialect: api.clone() })
        .with(PanicGuard(api.clone()))
        .with(ErrorDress::new(api.clone()).allowed(move || Allowed::from_openapi(&document)))
        .with(RateLimitHeaders)
        .with(SecurityHeaders::new(HeaderProfile::Api, true))
        .with(metrics.surface("api"));
    Route::new()
        .nest("/api/v1", rest)
        .nest("/health", health::routes(Arc::new(|| async { Vec::new() })))
        .with(ErrorDress::new(api))
        .with(Trace)
        .with(RequestIds::new(TrustedProxies::new(["127.0.0.1/32".parse().unwrap()]), move || {
            Uuid::from_u128(u128::from(counter.fetch_add(1, Ordering::Relaxed)))
        }))
}

struct Running {
    address: SocketAddr,
    metrics: Metrics,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<std::io::Result<()>>,
}

async fn start(change: impl FnOnce(&mut ServerOptions)) -> Running {
    let metrics = Metrics::new();
    let mut options = ServerOptions::new("test", Listen::Address(SocketAddr::from(([127, 0, 0, 1], 0))));
    options.deadlines = Deadlines { first_answer: SHORT, idle: SHORT * 4, stalled_write: SHORT };
    options.metrics = metrics.connections("test");
    change(&mut options);
    let server = Server::bind(options).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let address = server.address();
    let endpoint = app(&metrics);
    let served = tokio::spawn(server.run(endpoint, async {
        stopped.await.ok();
    }));
    Running { address, metrics, stop: Some(stop), served }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends one request on its own connection and returns the whole answer.
    async fn ask(&self, request: &str) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        read_answer(&mut stream).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).await
    }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> serde_json::Value {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        let problem: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
        assert_eq!((self.status, &problem["code"]), (status, &code.into()), "{problem}");
        assert_eq!(problem["type"], format!("https://id.example.com/problems/{code}"));
        assert_eq!(problem["request_id"].as_str(), self.header("x-request-id"));
        problem
    }
}

/// Reads one answer with a Content-Length.
async fn read_answer(stream: &mut TcpStream) -> Answer {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(LONG, stream.read_u8()).await.expect("no answer in time");
        head.push(byte.expect("cut in the head of an answer"));
    }
    let head = String::from_utf8(head).unwrap();
    let mut answer = Answer { status: head[9..12].parse().unwrap(), body: Vec::new(), head };
    answer.body = vec![0; answer.header("content-length").map_or(0, |length| length.parse().unwrap())];
    tokio::time::timeout(LONG, stream.read_exact(&mut answer.body)).await.unwrap().unwrap();
    answer
}

/// Waits for the server to close, and returns how long that took.
async fn closed_after(stream: &mut TcpStream) -> Duration {
    let start = Instant::now();
    let mut rest = Vec::new();
    // Both an end and a reset are a close.
    tokio::time::timeout(LONG, stream.read_to_end(&mut rest)).await.expect("still open").ok();
    assert_eq!(String::from_utf8_lossy(&rest), "");
    start.elapsed()
}

#[tokio::test]
async fn half_sent_heads_and_silence_are_cut() {
    let server = start(|_| {}).await;
    for sent in ["", "GET /api/v1/who HTTP/1.1\r\nhost: x\r\nx-half:"] {
        let mut stream = server.connect().await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        let after = closed_after(&mut stream).await;
        assert!((SHORT / 2..SHORT * 5).contains(&after), "{sent:?} closed after {after:?}");
    }
    assert!(server.metrics.render().contains(r#"postern_http_connections_cut_total{listener="test"} 2"#));
}

#[tokio::test]
async fn a_dripping_head_is_cut() {
    let server = start(|_| {}).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    let start = Instant::now();
    let drip = tokio::spawn(async move {
        for byte in b"GET /api/v1/who HTTP/1.1\r\nhost: x\r\n".iter().chain([b'a'; 200].iter()) {
            if writer.write_all(&[*byte]).await.is_err() {
                break;
            }
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let mut rest = Vec::new();
    tokio::time::timeout(LONG, reader.read_to_end(&mut rest)).await.expect("still open").ok();
    assert!(start.elapsed() < SHORT * 5);
    drip.abort();
}

#[tokio::test]
async fn a_dripping_head_on_a_used_connection_is_cut() {
    let server = start(|_| {}).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /api/v1/who HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(&mut stream).await;
    stream.write_all(b"GET").await.unwrap();
    let after = closed_after(&mut stream).await;
    assert!(after < SHORT * 3, "closed after {after:?}, the idle time is longer");
}

#[tokio::test]
async fn a_dripping_body_is_answered_408() {
    let server = start(|_| {}).await;
    let mut stream = server.connect().await;
    stream.write_all(b"POST /api/v1/echo HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n").await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let drip = tokio::spawn(async move {
        while writer.write_all(b"x").await.is_ok() {
            tokio::time::sleep(SHORT / 10).await;
        }
    });
    let mut answer = Vec::new();
    tokio::time::timeout(LONG, reader.read_to_end(&mut answer)).await.expect("still open").ok();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("body_too_slow"), "{answer}");
    drip.await.unwrap();
}

#[tokio::test]
async fn a_slow_handler_is_not_cut() {
    let server = start(|_| {}).await;
    let answer = server.get("/api/v1/slow").await;
    assert_eq!((answer.status, answer.text()), (200, "slow but whole"));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let server = start(|_| {}).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /api/v1/large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let start = Instant::now();
    while !server.metrics.render().contains(r#"postern_http_connections_cut_total{listener="test"} 1"#) {
        assert!(start.elapsed() < LONG, "still open: {}", server.metrics.render());
        tokio::time::sleep(SHORT / 10).await;
    }
}

#[tokio::test]
async fn kept_alive_until_idle() {
    let server = start(|_| {}).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET /api/v1/who HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        assert_eq!(read_answer(&mut stream).await.status, 200);
        // Longer than the deadline for a head, shorter than the idle time.
        tokio::time::sleep(SHORT * 2).await;
    }
    assert!(closed_after(&mut stream).await > SHORT / 2);
    assert!(
        !server.metrics.render().contains("connections_cut_total{listener=\"test\"} 1"),
        "idle is no cut"
    );
}

#[tokio::test]
async fn connections_above_the_cap_wait() {
    let server = start(|options| {
        options.max_connections = 2;
        options.deadlines.first_answer = LONG * 2;
    })
    .await;
    let first = server.connect().await;
    let _second = server.connect().await;
    tokio::time::sleep(SHORT).await;
    let mut third = server.connect().await;
    third.write_all(b"GET /api/v1/who HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(tokio::time::timeout(SHORT, third.readable()).await.is_err(), "served above the cap");
    drop(first);
    assert_eq!(read_answer(&mut third).await.status, 200);
}

#[tokio::test]
async fn large_bodies_are_413_and_small_ones_pass() {
    let server = start(|_| {}).await;
    let post = |headers: &str, body: &str| {
        format!("POST /api/v1/echo HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n{body}")
    };
    let answer = server.ask(&post("content-length: 5", "hello")).await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    let answer = server.ask(&post("transfer-encoding: chunked", "5\r\nhello\r\n0\r\n\r\n")).await;
    assert_eq!((answer.status, answer.text()), (200, "hello"));
    let long = "x".repeat(1001);
    let answer = server.ask(&post("content-length: 1001", &long)).await;
    assert!(answer.problem(413, "payload_too_large")["detail"].as_str().unwrap().contains("1000"));
    let answer =
        server.ask(&post("transfer-encoding: chunked", &format!("3e9\r\n{long}\r\n0\r\n\r\n"))).await;
    answer.problem(413, "payload_too_large");
    // Only announced, and never sent after the refusal.
    let asked = "content-length: 99999999\r\nexpect: 100-continue";
    server.ask(&post(asked, "")).await.problem(413, "payload_too_large");
    // A client that sends everything before it reads still sees the answer.
    let huge = "x".repeat(8 * 1024 * 1024);
    let answer = server.ask(&post(&format!("content-length: {}", huge.len()), &huge)).await;
    answer.problem(413, "payload_too_large");
    assert_eq!(server.get("/api/v1/who").await.status, 200);
}

#[tokio::test]
async fn framework_errors_wear_the_dialect() {
    let server = start(|_| {}).await;
    server.get("/nowhere").await.problem(404, "not_found");
    server.get("/api/v1/nowhere").await.problem(404, "not_found");
    let problem = server.get("/api/v1/things/not-a-uuid").await.problem(404, "not_found");
    assert!(!problem["detail"].as_str().unwrap().contains("string("), "{problem}");

    let answer = server.ask("DELETE /api/v1/things HTTP/1.1\r\nhost: x\r\n\r\n").await;
    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
    let answer = server.ask("DELETE /api/v1/who HTTP/1.1\r\nhost: x\r\n\r\n").await;
    answer.problem(405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("HEAD, GET"));

    let post = |content_type: &str, body: &str| {
        format!(
            "POST /api/v1/things HTTP/1.1\r\nhost: x\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    server.ask(&post("text/xml", "<a/>")).await.problem(415, "unsupported_media_type");
    server.ask(&post("application/json", "{")).await.problem(400, "invalid_body");
    let problem = server.ask(&post("application/json", "{}")).await.problem(400, "invalid_body");
    assert_eq!(problem["errors"][0]["field"], "name");
    let problem =
        server.ask(&post("application/json", r#"{"name":"a","nmae":1}"#)).await.problem(400, "invalid_body");
    assert_eq!(problem["errors"][0]["field"], "nmae");
    let problem =
        server.ask(&post("application/json", r#"{"name":{"secret":1}}"#)).await.problem(400, "invalid_body");
    assert!(!problem.to_string().contains("secret"), "{problem}");
    assert!(!problem.to_string().contains("CreateThing"), "{problem}");
    let path = format!("/api/v1/things/{}?limit=many", Uuid::nil());
    let problem = server.get(&path).await.problem(400, "invalid_parameter");
    assert_eq!(problem["errors"][0]["field"], "limit");

    server.get("/api/v1/panics").await.problem(500, "internal_error");
    assert_eq!(server.get("/api/v1/who").await.status, 200, "the process stays up");
}

#[tokio::test]
async fn headers_of_every_answer() {
    let server = start(|_| {}).await;
    for path in ["/api/v1/who", "/api/v1/nowhere"] {
        let answer = server.get(path).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
        assert!(answer.header("strict-transport-security").is_some());
        assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    }
    assert_eq!(server.get("/health/live").await.status, 200);
    assert_eq!(server.get("/health/ready").await.text(), r#"{"status":"ok"}"#);
}

#[tokio::test]
async fn limits_tell_what_is_left() {
    let server = start(|_| {}).await;
    let answer = server.get("/api/v1/limited").await;
    assert_eq!(answer.header("ratelimit-policy"), Some("\"address\";q=2;w=60"));
    assert_eq!(answer.header("ratelimit"), Some("\"address\";r=1;t=30"));
    server.get("/api/v1/limited").await;
    let answer = server.get("/api/v1/limited").await;
    answer.problem(429, "rate_limited");
    assert_eq!(answer.header("ratelimit"), Some("\"address\";r=0;t=60"));
    assert_eq!(answer.header("retry-after"), Some("30"));
}

#[tokio::test]
async fn only_trusted_proxies_name_the_client() {
    let server = start(|_| {}).await;
    let ask = |headers: &str| format!("GET /api/v1/who HTTP/1.1\r\nhost: x\r\n{headers}\r\n\r\n");
    let answer =
        server.ask(&ask("x-forwarded-for: 1.1.1.1, 203.0.113.9\r\nx-request-id: from-the-proxy")).await;
    assert_eq!(answer.text(), "203.0.113.9 from-the-proxy");
    assert_eq!(answer.header("x-request-id"), Some("from-the-proxy"));
    let answer = server.ask(&ask("x-request-id: <script>")).await;
    assert!(answer.text().starts_with("127.0.0.1 0000"), "{}", answer.text());

    let stranger = start(|options| {
        options.listen = Listen::Bound(std::net::TcpListener::bind("[::1]:0").unwrap());
    })
    .await;
    let answer = stranger.ask(&ask("x-forwarded-for: 203.0.113.9\r\nx-request-id: from-the-proxy")).await;
    assert!(answer.text().starts_with("::1 0000"), "{}", answer.text());
}

#[tokio::test]
async fn a_running_request_is_finished_at_the_end() {
    let mut server = start(|_| {}).await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET /api/v1/who HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(&mut idle).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /api/v1/slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(SHORT / 2).await;
    server.stop.take();
    assert_eq!(read_answer(&mut busy).await.text(), "slow but whole");
    tokio::time::timeout(LONG, &mut server.served).await.expect("does not end").unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "still listening");
}

#[tokio::test]
async fn the_grace_time_bounds_the_end() {
    let mut server = start(|options| options.grace = SHORT).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /api/v1/slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(SHORT / 3).await;
    let start = Instant::now();
    server.stop.take();
    tokio::time::timeout(LONG, &mut server.served).await.expect("does not end").unwrap().unwrap();
    assert!(start.elapsed() < SHORT * 2, "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_taken_port_is_said_so() {
    let server = start(|_| {}).await;
    let Err(error) = Server::bind(ServerOptions::new("test", Listen::Address(server.address))).await else {
        panic!("bound twice")
    };
    assert!(error.to_string().contains(&server.address.to_string()), "{error}");
}

#[tokio::test]
async fn middleware_keeps_what_handlers_set() {
    let endpoint = make(|_| async {
        StatusCode::OK.with_header("cache-control", "public, max-age=300").into_response()
    })
    .with(SecurityHeaders::new(HeaderProfile::Api, false));
    let response: Response = endpoint.get_response(Request::default()).await;
    assert_eq!(response.header("cache-control"), Some("public, max-age=300"));
    assert_eq!(response.header("strict-transport-security"), None);
}

#[tokio::test]
async fn the_log_holds_no_secrets() {
    #[derive(Clone, Default)]
    struct Log(Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let endpoint = app(&Metrics::new());
    for uri in ["/api/v1/things/hunter2?email=a@example.com", "/invites/hunter2"] {
        let request = Request::builder()
            .uri_str(uri)
            .header("authorization", "Bearer hunter2")
            .header("cookie", "postern_session=hunter2");
        endpoint.get_response(request.finish()).await;
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("/api/v1/things/:param0") && log.contains("unmatched"), "{log}");
    assert!(!log.contains("hunter2") && !log.contains("example.com"), "{log}");
}
