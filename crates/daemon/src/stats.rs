//! Counters since the start, for `server.stats`. Gauges are asked of the boards when somebody wants them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use callboard_protocol::{Error, ErrorKind, Method};

/// What is counted.
#[derive(Debug)]
pub struct Stats {
    requests: Vec<AtomicU64>,
    errors: Vec<AtomicU64>,
    /// Connections open now.
    pub connections: AtomicUsize,
    /// Events that slow sessions missed.
    pub drops: AtomicU64,
}

fn zeros(count: usize) -> Vec<AtomicU64> {
    (0..count).map(|_| AtomicU64::new(0)).collect()
}

fn read<T>(names: impl Iterator<Item = T>, counts: &[AtomicU64]) -> BTreeMap<String, u64>
where
    T: Into<String>,
{
    let counts = counts.iter().map(|count| count.load(Ordering::Relaxed));
    names.map(Into::into).zip(counts).filter(|(_, count)| *count > 0).collect()
}

impl Default for Stats {
    fn default() -> Self {
        Self {
            requests: zeros(Method::ALL.len()),
            errors: zeros(ErrorKind::ALL.len()),
            connections: AtomicUsize::new(0),
            drops: AtomicU64::new(0),
        }
    }
}

impl Stats {
    /// Counts a request.
    pub fn count_request(&self, method: Method) {
        if let Some(count) = self.requests.get(method as usize) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts an error that was answered.
    pub fn count_error(&self, error: &Error) {
        let place = ErrorKind::ALL.iter().position(|kind| *kind == error.kind);
        if let Some(count) = place.and_then(|place| self.errors.get(place)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests by method.
    #[must_use]
    pub fn requests(&self) -> BTreeMap<String, u64> {
        read(Method::ALL.iter().map(|method| method.name()), &self.requests)
    }

    /// Errors by kind.
    #[must_use]
    pub fn errors(&self) -> BTreeMap<String, u64> {
        read(ErrorKind::ALL.iter().map(|kind| kind.name()), &self.errors)
    }
}
