//! A client that reads the list of users page by page, by index or by cursor, again from the beginning at the end; or
//! that jumps about in it.

use std::fmt::Write as _;

use anyhow::{Context as _, ensure};
use serde::Deserialize;
use serde::de::IgnoredAny;
use url::form_urlencoded::byte_serialize;

use super::http::write_request;
use super::load::{CONCURRENCY, Script, Step};

/// Users on a page, as Okta and Entra ask for them.
pub const PAGE: usize = 100;

/// How a page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    Index,
    Cursor,
    /// An index that no page before led to.
    Jump,
}

/// What one connection sends.
pub struct Walk {
    token: String,
    by: By,
    /// Users in the list.
    users: usize,
    /// Requests still to send.
    left: usize,
    /// The number of the page's first user, from 0.
    at: usize,
    cursor: String,
    path: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "nextCursor")]
    next_cursor: Option<String>,
    #[serde(rename = "Resources")]
    resources: Vec<IgnoredAny>,
}

impl Walk {
    /// So many pages of a list of so many users; jumps begin at a place of the connection's own.
    pub fn new(token: &str, by: By, users: usize, pages: usize, connection: usize) -> Self {
        let at = if by == By::Jump { connection * users / CONCURRENCY } else { 0 };
        Self {
            token: token.to_owned(),
            by,
            users,
            left: pages,
            at,
            cursor: String::new(),
            path: String::with_capacity(512),
        }
    }
}

impl Script for Walk {
    fn next(&mut self, request: &mut Vec<u8>) -> Option<Step> {
        self.left = self.left.checked_sub(1)?;
        self.path.clear();
        self.path.push_str("/scim/v2/Users?");
        match self.by {
            By::Cursor => {
                self.path.push_str("cursor=");
                self.path.extend(byte_serialize(self.cursor.as_bytes()));
            }
            By::Index | By::Jump => {
                let _ = write!(self.path, "startIndex={}", self.at + 1);
            }
        }
        let _ = write!(self.path, "&count={PAGE}");
        write_request(request, ("GET", &self.path), &self.token, ("", b""));
        Some(Step { kind: 0, expected: 200..=200 })
    }

    fn answered(&mut self, body: &[u8]) -> anyhow::Result<()> {
        let page: Page = serde_json::from_slice(body).context("a page")?;
        let expected = (self.users - self.at).min(PAGE);
        let found = page.resources.len();
        ensure!(found == expected, "{} has {found} users instead of {expected}", self.path);
        if self.by == By::Jump {
            self.at = (self.at + 7919 * 31) % self.users;
            return Ok(());
        }
        self.at += found;
        self.cursor = page.next_cursor.unwrap_or_default();
        if self.at >= self.users {
            ensure!(self.cursor.is_empty(), "{} has a cursor behind its end", self.path);
            self.at = 0;
        }
        Ok(())
    }
}
