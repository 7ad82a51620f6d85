//! Rows for PostgreSQL's COPY, which costs half of what INSERT does.

use std::io::Write as _;

/// Rows in the text format of COPY (PostgreSQL's manual, COPY, "Text Format").
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// A number, an id, a truth value: nothing in it means anything to the format.
    pub(super) fn shown(&mut self, value: impl std::fmt::Display) -> &mut Self {
        // Writing to memory does not fail.
        let _ = write!(self.0, "{value}\t");
        self
    }

    /// The same, or nothing.
    pub(super) fn maybe(&mut self, value: Option<impl std::fmt::Display>) -> &mut Self {
        match value {
            Some(value) => self.shown(value),
            None => self.optional(None),
        }
    }

    /// A text.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        let mut rest = text.as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'\\' | b'\t' | b'\n' | b'\r')) {
            self.0.extend_from_slice(&rest[..at]);
            self.0.extend_from_slice(match rest[at] {
                b'\t' => b"\\t",
                b'\n' => b"\\n",
                b'\r' => b"\\r",
                _ => br"\\",
            });
            rest = &rest[at + 1..];
        }
        self.0.extend_from_slice(rest);
        self.0.push(b'\t');
        self
    }

    /// A text, or nothing.
    pub(super) fn optional(&mut self, text: Option<&str>) -> &mut Self {
        if let Some(text) = text {
            return self.text(text);
        }
        self.0.extend_from_slice(br"\N");
        self.0.push(b'\t');
        self
    }

    /// What COPY reads.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The row is complete.
    pub(super) fn end(&mut self) {
        if let Some(last) = self.0.last_mut() {
            *last = b'\n';
        }
    }
}
