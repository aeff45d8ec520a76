//! What a held or awaited lock has besides its names and its lease; how a grant is made and how it ends.
//!
//! Invariant: `bytes` is what the grants hold, as accounted. Who holds what is in the lock table.

use std::collections::BTreeMap;

use callboard_protocol::event::LostWhy;
use callboard_protocol::methods::message::Stale;
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::Token;

use crate::lease::Binding;
use crate::lock::LockNames;
use crate::wait::WaitId;

/// What a grant costs besides its names, in bytes: table, index, lease, deadlines.
const GRANT_BYTES: usize = 700;
/// What each name of a grant costs besides its text, in bytes.
const NAME_BYTES: usize = 250;

/// What a grant has besides its names and its lease.
#[derive(Debug, Clone)]
pub struct GrantInfo {
    /// Why, for people.
    pub reason: Option<String>,
    /// When it was granted, in Unix milliseconds.
    pub acquired_at: u64,
    bytes: usize,
}

impl GrantInfo {
    pub(crate) fn new(names: &LockNames, reason: Option<String>, acquired_at: u64) -> Self {
        let names_bytes: usize = names.as_slice().iter().map(|name| name.as_str().len() + NAME_BYTES).sum();
        let bytes = GRANT_BYTES + names_bytes + reason.as_ref().map_or(0, String::len);
        Self { reason, acquired_at, bytes }
    }
}

/// The grants of a board, beside the lock table.
#[derive(Debug, Default)]
pub struct Grants {
    table: BTreeMap<Token, GrantInfo>,
    bytes: usize,
}

impl Grants {
    /// What a grant has besides its names.
    #[must_use]
    pub fn find(&self, token: Token) -> Option<&GrantInfo> {
        self.table.get(&token)
    }

    pub(crate) fn insert(&mut self, token: Token, info: GrantInfo) {
        self.bytes += info.bytes;
        self.table.insert(token, info);
    }

    pub(crate) fn remove(&mut self, token: Token) {
        if let Some(info) = self.table.remove(&token) {
            self.bytes -= info.bytes;
        }
    }

    /// How many grants there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// What the grants hold, in bytes as accounted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

/// How a grant is to be made.
#[derive(Debug, Clone)]
pub struct GrantTerms {
    /// What it is bound to.
    pub binding: Binding,
    /// Its TTL in milliseconds, or none.
    pub ttl_ms: Option<u64>,
    /// The TTL asked for; a grant that is asked for again keeps its own without one.
    pub ttl_ms_asked: Option<u64>,
    /// Why, for people.
    pub reason: Option<String>,
}

/// The terms of the waiting acquires of a board.
pub type Waiters = BTreeMap<WaitId, GrantTerms>;

/// How and why a grant ends.
#[derive(Debug, Clone)]
pub struct Ending {
    /// What a late caller hears.
    pub why: Stale,
    /// What the holder hears at once.
    pub lost: Option<LostWhy>,
    /// Who broke it.
    pub by: Option<AgentName>,
    /// Why it was broken.
    pub reason: Option<String>,
}

impl Ending {
    /// An end that the holder knows of, or that ended the holder too.
    #[must_use]
    pub fn quietly(why: Stale) -> Self {
        Self { why, lost: None, by: None, reason: None }
    }

    /// An end that the holder must hear of.
    #[must_use]
    pub fn lost(why: Stale, lost: LostWhy) -> Self {
        Self { lost: Some(lost), ..Self::quietly(why) }
    }
}
