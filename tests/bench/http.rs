//! A keep-alive HTTP/1.1 client that costs next to nothing, so that what is measured is the server: whole
//! requests come in as bytes, answers go out as slices of one buffer that is used again and again.

use std::net::SocketAddr;

use anyhow::{Context as _, bail};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// More than any answer that is asked for here.
const LARGEST_ANSWER: usize = 4 * 1024 * 1024;

/// One connection that stays open.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, good until the next request.
#[derive(Debug, Clone, Copy)]
pub struct Reply<'a> {
    pub status: u16,
    head: &'a [u8],
    pub body: &'a [u8],
}

impl Connection {
    pub async fn open(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(16 * 1024) })
    }

    /// Sends a whole request and reads its whole answer.
    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<Reply<'_>> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let mut looked = 0_usize;
        let head = loop {
            self.more().await?;
            // The end of the head may straddle two reads.
            let from = looked.saturating_sub(3);
            if let Some(at) = self.buffer[from..].windows(4).position(|four| four == b"\r\n\r\n") {
                break from + at + 4;
            }
            looked = self.buffer.len();
        };
        let (status, length) = parse(&self.buffer[..head])?;
        let whole = head + length;
        while self.buffer.len() < whole {
            self.more().await?;
        }
        if self.buffer.len() > whole {
            bail!("the server sent more than it announced");
        }
        Ok(Reply { status, head: &self.buffer[..head], body: &self.buffer[head..whole] })
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection");
        }
        if self.buffer.len() > LARGEST_ANSWER {
            bail!("the answer does not end");
        }
        Ok(())
    }

    /// A JSON request of the set-up, which must be answered with this status.
    pub async fn json(
        &mut self,
        (method, path): (&str, &str),
        bearer: &str,
        body: Option<&Value>,
        expected: u16,
    ) -> anyhow::Result<Value> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut request = Vec::new();
        write_request(&mut request, (method, path), bearer, ("application/json", body.as_bytes()));
        let reply = self.send(&request).await?;
        let text = String::from_utf8_lossy(reply.body);
        if reply.status != expected {
            bail!("{method} {path} answered {} instead of {expected}: {text}", reply.status);
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {path} answered {text}"))
    }
}

impl<'a> Reply<'a> {
    /// The values of a header, by its name in lower case.
    pub fn headers(self, name: &str) -> impl Iterator<Item = &'a str> {
        lines(self.head)
            .filter(move |(found, _)| found.eq_ignore_ascii_case(name.as_bytes()))
            .filter_map(|(_, value)| std::str::from_utf8(value).ok())
    }
}

/// Header lines as name and trimmed value.
fn lines(head: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    head.split(|&byte| byte == b'\n').skip(1).filter_map(|line| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        Some((&line[..colon], line[colon + 1..].trim_ascii()))
    })
}

/// Status and length of the body. A body without an announced length is none of ours.
fn parse(head: &[u8]) -> anyhow::Result<(u16, usize)> {
    let status = head.strip_prefix(b"HTTP/1.1 ").and_then(|rest| rest.get(..3));
    let status = status.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    let status: u16 = status.context("the answer is not HTTP/1.1")?;
    if matches!(status, 204 | 304) {
        return Ok((status, 0));
    }
    let length = lines(head).find(|(name, _)| name.eq_ignore_ascii_case(b"content-length"));
    let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
    Ok((status, length.with_context(|| format!("an answer with status {status} has no Content-Length"))?))
}

/// Appends a request with a credential (empty: none) and a body (empty: none).
pub fn write_request(
    out: &mut Vec<u8>,
    (method, path): (&str, &str),
    bearer: &str,
    (content_type, body): (&str, &[u8]),
) {
    let mut push = |parts: &[&str]| parts.iter().for_each(|part| out.extend_from_slice(part.as_bytes()));
    push(&[method, " ", path, " HTTP/1.1\r\nHost: 127.0.0.1\r\n"]);
    if !bearer.is_empty() {
        push(&["Authorization: Bearer ", bearer, "\r\n"]);
    }
    if !body.is_empty() {
        push(&["Content-Type: ", content_type, "\r\n"]);
    }
    if !body.is_empty() || method != "GET" {
        push(&["Content-Length: ", &body.len().to_string(), "\r\n"]);
    }
    push(&["\r\n"]);
    out.extend_from_slice(body);
}
