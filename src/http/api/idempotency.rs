//! `Idempotency-Key` on POST (rule 15): the same request with the same key gets the same answer, for a day, without
//! the secret if there was one (`secret`, `token`, `access_token`, `link` and addresses with a secret
//! in them), and with `Idempotency-Replayed: true`.
//!
//! The request runs in a task of its own: a client that gives up waiting does not stop it half-way, and finds its
//! answer under the key. Refusals are not kept; the key is free again. What an unfinished request means is told in
//! `service::idempotency`. Operations without a credential have nothing to bind a key to and take no notice of it.

use super::answer::problem;
use super::caller::Caller;
use crate::http::payload::Problem;
use crate::http::state::State;
use crate::service::idempotency::{Claim, KeptAnswer, Turn, begin, keep, release};
use poem::http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use poem::{Endpoint, IntoResponse, Middleware, Request, Response, Result};
use serde_json::Value;
use std::sync::Arc;
use tracing::Instrument as _;

const KEY: &str = "idempotency-key";
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// What an answer shows once.
const SECRETS: [&str; 4] = ["secret", "token", "link", "access_token"];
/// What an address with a secret in it has, as that of a test sign-in.
const SECRET_IN_ADDRESS: &str = "=pstn_";
/// The headers that belong to the answer itself; the others are about the request.
const KEPT_HEADERS: [HeaderName; 3] = [header::CONTENT_TYPE, header::LOCATION, header::ETAG];
/// Operations that need no credential.
const PUBLIC: [&str; 2] = ["/invites/accept", "/login-url"];
/// The end of the path of an operation that changes nothing, and so has nothing to keep.
const DRY_RUN: &str = "/scim/dry-run";

/// The middleware; see the module docs.
#[derive(Debug, Clone, Copy)]
pub struct Idempotency;

/// An endpoint with the middleware around it.
pub struct Idempotent<E>(Arc<E>);

impl<E: Endpoint + 'static> Middleware<E> for Idempotency {
    type Output = Idempotent<E>;

    fn transform(&self, inner: E) -> Self::Output {
        Idempotent(Arc::new(inner))
    }
}

impl<E: Endpoint + 'static> Endpoint for Idempotent<E> {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let keyed = *request.method() == Method::POST
            && request.headers().contains_key(KEY)
            && !PUBLIC.contains(&request.uri().path())
            && !request.uri().path().ends_with(DRY_RUN);
        if !keyed {
            return self.0.call(request).await.map(IntoResponse::into_response);
        }
        let key = read_key(&request)?;
        let caller = Caller::authenticate(&request).await?;
        request.extensions_mut().insert(caller.clone());
        let state = Arc::clone(State::of(&request)?);
        let body = request.take_body().into_bytes().await?;
        let claim = Claim {
            credential: caller.credential_name(),
            key,
            request_hash: digest(request.method(), request.original_uri(), &body),
        };
        request.set_body(body);
        match begin(&state.services, &claim, caller.ctx.now).await.map_err(|error| problem(&error))? {
            Turn::Replay(answer) => Ok(replayed(answer)),
            Turn::Run => {
                let inner = Arc::clone(&self.0);
                let run = async move { run(&*inner, &state, &claim, request).await };
                tokio::spawn(run.in_current_span()).await.unwrap_or_else(|error| {
                    // Whether the change was committed before it failed is not known: the claim stays.
                    tracing::error!(%error, "a request with an Idempotency-Key did not come to an end");
                    Err(Problem::internal().into())
                })
            }
        }
    }
}

/// Runs the request and keeps what it answers.
async fn run<E: Endpoint>(inner: &E, state: &State, claim: &Claim, request: Request) -> Result<Response> {
    let response = match inner.call(request).await {
        Ok(response) => response.into_response(),
        Err(error) => {
            release(&state.services, claim).await;
            return Err(error);
        }
    };
    if !response.status().is_success() {
        release(&state.services, claim).await;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = body.into_bytes().await?;
    let headers = KEPT_HEADERS
        .iter()
        .filter_map(|name| {
            let value = parts.headers.get(name)?.to_str().ok()?;
            Some((name.to_string(), value.to_owned()))
        })
        .collect();
    let answer = KeptAnswer { status: parts.status.as_u16(), headers, body: without_secrets(&body) };
    keep(&state.services, claim, &answer).await;
    Ok(Response::from_parts(parts, body.into()))
}

/// # Errors
/// 400 for a key that is empty, too long, doubled or not visible ASCII.
fn read_key(request: &Request) -> Result<String, Problem> {
    let mut keys = request.headers().get_all(KEY).iter();
    let key = keys.next().map(HeaderValue::as_bytes).unwrap_or_default();
    let fine =
        (1..=255).contains(&key.len()) && key.iter().all(u8::is_ascii_graphic) && keys.next().is_none();
    let text = std::str::from_utf8(key).ok().filter(|_| fine);
    text.map(ToOwned::to_owned).ok_or_else(|| {
        Problem::new(
            StatusCode::BAD_REQUEST,
            "idempotency_key_invalid",
            "Invalid Idempotency-Key",
            "An Idempotency-Key is one header of 1 to 255 visible ASCII characters without blanks.",
        )
    })
}

/// A digest of what the key is bound to. Lengths stand in front, so that no two requests run together.
fn digest(method: &Method, target: &Uri, body: &[u8]) -> Vec<u8> {
    let mut hash = openssl::sha::Sha256::new();
    let target = target.path_and_query().map_or("", |target| target.as_str());
    for part in [method.as_str().as_bytes(), target.as_bytes(), body] {
        hash.update(&part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finish().to_vec()
}

/// The body of an answer without what is shown once.
fn without_secrets(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut object)) => {
            for field in SECRETS {
                object.shift_remove(field);
            }
            object.retain(|_, value| !value.as_str().is_some_and(|text| text.contains(SECRET_IN_ADDRESS)));
            Value::Object(object).to_string()
        }
        _ => String::from_utf8_lossy(body).into_owned(),
    }
}

fn replayed(answer: KeptAnswer) -> Response {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK))
        .header(REPLAYED, "true");
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    response.body(answer.body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_once_is_not_kept() {
        let body = br#"{"id":"key_1","secret":"s","token":"t","link":"l","name":"token"}"#;
        assert_eq!(without_secrets(body), r#"{"id":"key_1","name":"token"}"#);
        assert_eq!(without_secrets(br#"{"url":"https://x/test?link=pstn_tst_1","at":1}"#), r#"{"at":1}"#);
        assert_eq!(without_secrets(b""), "");
    }

    #[test]
    fn address_and_body_cannot_be_shifted_into_each_other() {
        let of = |target: &'static str, body: &[u8]| digest(&Method::POST, &Uri::from_static(target), body);
        assert_eq!(of("/a", b"b"), of("/a", b"b"));
        assert_ne!(of("/a", b"b"), of("/ab", b""));
        assert_ne!(of("/a?x=1", b"b"), of("/a", b"b"));
    }
}
