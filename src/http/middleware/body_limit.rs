//! How large a body may be and how long it may take to arrive.
//!
//! A declared length above the limit is refused at once; else the body's stream is wrapped, counts what comes
//! and fails at the limit or the deadline, and whatever the handler made of that failure, the answer is 413 or
//! 408 in the dialect of the surface. What a refused client still sends is read and thrown away for a moment,
//! because a connection closed on unread data is reset, and the client would never see the answer.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures_util::{Stream, StreamExt};
use poem::{
    Body, Endpoint, IntoResponse, Request, Response, Result,
    http::{StatusCode, header},
};
use tokio::time::{Instant, Sleep};

use super::{Layer, RequestId, layer};
use crate::http::payload::{Dialect, Problem, framework::too_large};

const WITHIN: u8 = 0;
const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;

/// Bytes and time spent on what a refused client still sends.
const DRAIN_BYTES: u64 = 64 * 1024 * 1024;
const DRAIN_TIME: Duration = Duration::from_secs(2);

/// The middleware; see the module docs.
#[derive(Debug, Clone)]
pub struct BodyLimit {
    pub max_bytes: u64,
    /// For the whole body, from the moment its head was read.
    pub arrive_within: Duration,
    pub dialect: Dialect,
}

impl BodyLimit {
    fn refuse(&self, state: u8, id: &RequestId) -> Response {
        let problem = if state == TOO_LARGE {
            let mut problem = too_large(Some(self.max_bytes));
            if matches!(self.dialect, Dialect::Scim) {
                // RFC 7644 §3.7.4: the limit is named.
                problem.detail = format!(
                    "The body is larger than the maxPayloadSize of {} bytes; send less at a time.",
                    self.max_bytes
                )
                .into();
            }
            problem
        } else {
            Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_too_slow",
                "Body too slow",
                format!(
                    "The body did not arrive within {} seconds; send it again.",
                    self.arrive_within.as_secs()
                ),
            )
            .header(header::CONNECTION, poem::http::HeaderValue::from_static("close"))
        };
        self.dialect.render(&problem, id.as_str())
    }
}

impl Layer for BodyLimit {
    async fn around<E: Endpoint>(&self, inner: &E, mut request: Request) -> Result<Response> {
        let body = request.take_body();
        if body.is_empty() {
            return inner.call(request).await.map(IntoResponse::into_response);
        }
        let id = RequestId::of(&request);
        let declared =
            request.header(header::CONTENT_LENGTH).and_then(|length| length.trim().parse::<u64>().ok());
        if declared.is_some_and(|length| length > self.max_bytes) {
            // A client that asks first (Expect: 100-continue) has not begun to send.
            if !request.headers().contains_key(header::EXPECT) {
                drain(body.into_bytes_stream()).await;
            }
            return Ok(self.refuse(TOO_LARGE, &id));
        }
        let state = Arc::new(AtomicU8::new(WITHIN));
        request.set_body(Body::from_bytes_stream(Limited {
            inner: Box::pin(body.into_bytes_stream()),
            left: self.max_bytes,
            timer: Box::pin(tokio::time::sleep(self.arrive_within)),
            state: state.clone(),
            drain: DRAIN_BYTES,
        }));
        let result = inner.call(request).await;
        match state.load(Ordering::Acquire) {
            WITHIN => result.map(IntoResponse::into_response),
            refused => Ok(self.refuse(refused, &id)),
        }
    }
}

layer!(BodyLimit);

/// A body that counts what comes; see the module docs.
struct Limited<S> {
    inner: Pin<Box<S>>,
    left: u64,
    timer: Pin<Box<Sleep>>,
    state: Arc<AtomicU8>,
    /// What may still be thrown away once the limit is passed.
    drain: u64,
}

impl<S, B> Stream for Limited<S>
where
    S: Stream<Item = io::Result<B>>,
    B: AsRef<[u8]>,
{
    type Item = io::Result<B>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<B>>> {
        let this = &mut *self;
        loop {
            let refused = this.state.load(Ordering::Acquire);
            match this.inner.as_mut().poll_next(cx) {
                Poll::Ready(Some(Ok(chunk))) => {
                    let length = chunk.as_ref().len() as u64;
                    if refused == WITHIN && length <= this.left {
                        this.left -= length;
                        return Poll::Ready(Some(Ok(chunk)));
                    }
                    if refused == WITHIN {
                        this.state.store(TOO_LARGE, Ordering::Release);
                        this.timer.as_mut().reset(Instant::now() + DRAIN_TIME);
                    }
                    this.drain = this.drain.saturating_sub(length);
                    if this.drain == 0 {
                        return Poll::Ready(Some(Err(failed())));
                    }
                }
                Poll::Ready(_) if refused != WITHIN => return Poll::Ready(Some(Err(failed()))),
                Poll::Ready(other) => return Poll::Ready(other),
                Poll::Pending => {
                    if this.timer.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    if refused == WITHIN {
                        this.state.store(TOO_SLOW, Ordering::Release);
                    }
                    return Poll::Ready(Some(Err(failed())));
                }
            }
        }
    }
}

fn failed() -> io::Error {
    io::Error::other("the body was refused by its limit")
}

async fn drain<B: AsRef<[u8]>>(rest: impl Stream<Item = io::Result<B>>) {
    let mut rest = std::pin::pin!(rest);
    let mut left = DRAIN_BYTES;
    let read = async {
        while let Some(Ok(chunk)) = rest.next().await {
            left = left.saturating_sub(chunk.as_ref().len() as u64);
            if left == 0 {
                break;
            }
        }
    };
    // Time-out or not, the refusal follows.
    tokio::time::timeout(DRAIN_TIME, read).await.ok();
}
