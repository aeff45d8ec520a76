//! Writes the normal form of a name and the form it is matched in side by side, segment by segment.
//!
//! Invariant: no two neighbouring `**`, no two neighbouring runs in a segment, escapes only where they are needed.

use std::sync::Arc;

use super::{DEEP, LockName, Parsed, RUN};

/// A name in the making.
pub(super) struct Builder {
    is_absolute: bool,
    text: String,
    literal_prefix_len: Option<usize>,
    bytes: Vec<u8>,
    ends: Vec<u16>,
}

impl Builder {
    pub(super) fn new(is_absolute: bool) -> Self {
        Self {
            is_absolute,
            text: String::new(),
            literal_prefix_len: None,
            bytes: Vec::new(),
            ends: Vec::new(),
        }
    }

    fn separate(&mut self) {
        if self.is_absolute || !self.text.is_empty() {
            self.text.push('/');
        }
    }

    pub(super) fn push_deep(&mut self) {
        let last = self.ends.len().checked_sub(2).map_or(0, |before| self.ends[before]);
        if &self.bytes[usize::from(last)..] == DEEP {
            return;
        }
        self.literal_prefix_len.get_or_insert(self.text.len());
        self.separate();
        self.text.push_str("**");
        self.bytes.extend_from_slice(DEEP);
        self.end();
    }

    /// Ends the segment. The bytes are never more than the text given, so they fit.
    fn end(&mut self) {
        self.ends.push(self.bytes.len() as u16);
    }

    /// None when a `\` escapes something else than `*` or `\`.
    pub(super) fn push(&mut self, segment: &str) -> Option<()> {
        let before = self.text.len();
        let start = self.bytes.len();
        self.separate();
        let mut chars = segment.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    let escaped = chars.next().filter(|c| matches!(c, '*' | '\\'))?;
                    self.text.extend(['\\', escaped]);
                    self.bytes.push(escaped as u8);
                }
                '*' => {
                    self.literal_prefix_len.get_or_insert(before);
                    if self.bytes.len() == start || self.bytes.last() != Some(&RUN) {
                        self.text.push('*');
                        self.bytes.push(RUN);
                    }
                }
                _ => {
                    self.text.push(c);
                    self.bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        }
        self.end();
        Some(())
    }

    /// None when there is no segment.
    pub(super) fn finish(self) -> Option<LockName> {
        if self.ends.is_empty() {
            return None;
        }
        Some(LockName(Arc::new(Parsed {
            literal_prefix_len: self.literal_prefix_len.unwrap_or(self.text.len()),
            text: self.text.into(),
            bytes: self.bytes.into(),
            ends: self.ends.into(),
        })))
    }
}
