//! A client of the REST API with one credential, as the application's engineers would write it. Answers are checked
//! where they are taken apart, so that an error names the request and the part that was missing.

use std::time::Duration;

use reqwest::{Client, Method, StatusCode, header};
use serde_json::Value;

use super::error::DemoError;

/// How often a 429 is waited out before it is a failure.
const PATIENCE: u32 = 20;

/// A client for loopback: no proxy, no redirects followed, nothing waited for without end.
pub fn loopback_client() -> Result<Client, DemoError> {
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_mins(1))
        .build()
        .map_err(|error| DemoError::no_answer("the demo's HTTP client", &error))
}

/// The REST API under one credential.
#[derive(Clone)]
pub struct Rest {
    client: Client,
    base: String,
    secret: String,
}

impl Rest {
    /// `base` is the gateway's public URL.
    pub fn new(client: &Client, base: &str, secret: &str) -> Self {
        Self { client: client.clone(), base: base.to_owned(), secret: secret.to_owned() }
    }

    /// Reads; `path` is below `/api/v1`.
    pub async fn get(&self, path: &str) -> Result<Answer, DemoError> {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer, DemoError> {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: &Value) -> Result<Answer, DemoError> {
        self.call(Method::PATCH, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Answer, DemoError> {
        let what = format!("{method} /api/v1{path}");
        let url = format!("{}/api/v1{path}", self.base);
        let mut request = self.client.request(method, url).bearer_auth(&self.secret);
        if let Some(body) = body {
            request = request.json(body);
        }
        send(&what, request).await
    }
}

/// Sends a request and reads the whole answer; waits as long as it is told when there were too many.
pub(super) async fn send(what: &str, request: reqwest::RequestBuilder) -> Result<Answer, DemoError> {
    let failed = |error: reqwest::Error| DemoError::no_answer(what, &error);
    for _ in 0..PATIENCE {
        let again = request.try_clone();
        let answer = match again {
            Some(again) => again.send().await.map_err(failed)?,
            None => return Err(DemoError::unexpected(what, "a request that can be repeated", "a stream")),
        };
        let status = answer.status();
        if status == StatusCode::TOO_MANY_REQUESTS {
            let wait = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = wait.and_then(|text| text.parse().ok()).unwrap_or(1).clamp(1, 60);
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            continue;
        }
        let text = answer.text().await.map_err(failed)?;
        return Ok(Answer { what: what.to_owned(), status, text });
    }
    Err(DemoError::KeptWaiting { what: what.to_owned(), times: PATIENCE })
}

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    what: String,
    pub status: StatusCode,
    text: String,
}

impl Answer {
    /// An answer that came another way, through a browser.
    pub fn new(what: &str, status: StatusCode, text: &str) -> Self {
        Self { what: what.to_owned(), status, text: text.to_owned() }
    }

    /// The body as JSON, if the status is this one.
    pub fn expect(self, status: StatusCode) -> Result<Body, DemoError> {
        if self.status != status {
            return Err(self.unexpected(&format!("the status {}", status.as_u16())));
        }
        self.json()
    }

    /// The body as JSON, whatever the status.
    pub fn json(self) -> Result<Body, DemoError> {
        match serde_json::from_str(&self.text) {
            Ok(value) => Ok(Body { what: self.what, value }),
            Err(_) => Err(self.unexpected("a body in JSON")),
        }
    }

    /// What a refusal says, in REST's words or in SCIM's.
    pub fn reason(&self) -> String {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        body.get("detail").and_then(Value::as_str).unwrap_or(&self.text).to_owned()
    }

    /// The stable code of a refusal.
    pub fn code(&self) -> String {
        let body: Value = serde_json::from_str(&self.text).unwrap_or_default();
        let word = body.get("code").or_else(|| body.get("scimType"));
        word.and_then(Value::as_str).unwrap_or("without a code").to_owned()
    }

    pub(super) fn unexpected(&self, expected: &str) -> DemoError {
        const MOST: usize = 2000;
        let excerpt: String = self.text.chars().take(MOST).collect();
        DemoError::unexpected(&self.what, expected, format!("{}: {excerpt}", self.status))
    }
}

/// A JSON body that knows which request it answers.
#[derive(Debug, Clone)]
pub struct Body {
    what: String,
    pub value: Value,
}

impl Body {
    /// The text at a JSON pointer.
    pub fn text(&self, pointer: &str) -> Result<&str, DemoError> {
        self.value.pointer(pointer).and_then(Value::as_str).ok_or_else(|| self.lacks(pointer, "text"))
    }

    /// The number at a JSON pointer.
    pub fn number(&self, pointer: &str) -> Result<u64, DemoError> {
        self.value.pointer(pointer).and_then(Value::as_u64).ok_or_else(|| self.lacks(pointer, "number"))
    }

    /// The list at a JSON pointer.
    pub fn list(&self, pointer: &str) -> Result<&[Value], DemoError> {
        let list = self.value.pointer(pointer).and_then(Value::as_array);
        list.map(Vec::as_slice).ok_or_else(|| self.lacks(pointer, "list"))
    }

    fn lacks(&self, pointer: &str, kind: &str) -> DemoError {
        DemoError::unexpected(&self.what, format!("a {kind} at {pointer}"), self.value.to_string())
    }
}
