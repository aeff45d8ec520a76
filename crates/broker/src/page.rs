//! Pages of lists: at most so many entries, and never more bytes than a frame takes.

use callboard_protocol::params::ListLimit;

/// What a reply needs besides its entries, in bytes.
pub const ENVELOPE_BYTES: usize = 1024;

/// A page that is being filled.
#[derive(Debug)]
pub struct Page<T> {
    entries: Vec<T>,
    limit: usize,
    bytes_left: usize,
    last: Option<String>,
    cursor: Option<String>,
}

impl<T> Page<T> {
    /// An empty page for at most `limit` entries in one frame.
    #[must_use]
    pub fn new(limit: Option<ListLimit>, frame_bytes: usize) -> Self {
        Self {
            entries: Vec::new(),
            limit: limit.unwrap_or_default().get(),
            bytes_left: frame_bytes.saturating_sub(ENVELOPE_BYTES),
            last: None,
            cursor: None,
        }
    }

    /// Adds an entry of at most `bytes` bytes on the wire; `place` is where the next page would go on after it. False
    /// when the page is full: the entry was not added, and the cursor says so. A first entry is always added: limits
    /// on values keep it below a frame.
    pub fn push(&mut self, entry: T, bytes: usize, place: &str) -> bool {
        if self.entries.len() == self.limit || (bytes > self.bytes_left && !self.entries.is_empty()) {
            self.cursor = self.last.take();
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.entries.push(entry);
        self.last = Some(place.to_owned());
        true
    }

    /// The entries, and the cursor while more follows.
    #[must_use]
    pub fn finish(self) -> (Vec<T>, Option<String>) {
        (self.entries, self.cursor)
    }
}
