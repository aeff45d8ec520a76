//! One file of the journal: its name, its first line, and what its other lines say.
//!
//! Invariant: the lines of all segments, read in the order of their numbers, are the changes in the order in which the
//! boards made them, each with a position one higher than the one before; the first line of a segment says after which
//! position it begins. Between them stand marks: all up to a position had been fsynced when the mark was written.

use callboard_broker::Record;
use callboard_protocol::Namespace;
use callboard_protocol::json::object::{Sink, Text, full_member};
use serde::{Deserialize, Serialize};

use crate::store::snapshot::{file_name, file_number};

/// The word in the header that tells a segment from other files.
pub(super) const FORMAT: &str = "callboard-journal";
/// The version written, and the newest one read.
pub(super) const VERSION: u32 = 1;

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Header {
    /// [`FORMAT`].
    pub format: String,
    /// [`VERSION`].
    pub version: u32,
    /// The position of the last change before this segment.
    pub after: u64,
}

/// All changes of one request.
#[derive(Debug)]
pub(super) struct Change<'a> {
    /// Its place in the order of all changes.
    pub position: u64,
    /// Whose board changed.
    pub namespace: &'a Namespace,
    /// The entities as they are after it.
    pub records: &'a [Record],
}

impl Text for Change<'_> {
    fn write(&self, out: &mut impl Sink) {
        let Self { position, namespace, records } = self;
        full_member(out, "{\"position\":", position);
        full_member(out, ",\"namespace\":", *namespace);
        full_member(out, ",\"records\":", *records);
        out.put("}");
    }
}

/// How far the journal is on the disk for certain.
#[derive(Debug, Serialize)]
pub(super) struct Mark {
    /// All changes up to this position.
    pub synced: u64,
}

/// A line as it is read: a change has the first three, a mark the last.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    #[serde(default)]
    pub position: Option<u64>,
    #[serde(default)]
    pub namespace: Option<Namespace>,
    #[serde(default)]
    pub records: Vec<Record>,
    #[serde(default)]
    pub synced: Option<u64>,
}

/// The name of a segment.
pub(super) fn name(number: u64) -> String {
    file_name("journal", number)
}

/// The number of the segment with this name.
pub(super) fn number(name: &str) -> Option<u64> {
    file_number("journal", name)
}
