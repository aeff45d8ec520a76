//! Parameters with what is required and nothing else; the rest is added with `..`.
//!
//! Invariant: every optional member is absent. Types without required members have a `Default` instead.
//!
//! ```
//! use callboard_protocol::methods::task::Create;
//!
//! let create = Create { review: Some(true), ..Create::new("write the manual") };
//! assert!(create.depends_on.is_none());
//! ```

use super::coordination::{Open, Take};
use super::kv::Set;
use super::lock::Acquire;
use super::message::{Request, Send};
use super::task::{Create, Draft, Extend, Fail, Wait};
use crate::address::{Address, Recipients};
use crate::json::Json;
use crate::names::{Key, Label};
use crate::params::{TtlMs, WaitMs};
use crate::revision::{TaskId, Token};

impl Set {
    /// A value for a key, for ever and without a condition.
    #[must_use]
    pub fn new(key: Key, value: Json) -> Self {
        Self { key, value, ttl_ms: None, if_absent: None, if_revision: None, keep_ttl: None, if_lock: None }
    }
}

impl Acquire {
    /// An exclusive lock on all of these names, without waiting.
    #[must_use]
    pub fn new<T: Into<String>>(keys: impl IntoIterator<Item = T>) -> Self {
        let keys = keys.into_iter().map(Into::into).collect();
        Self { keys, mode: None, ttl_ms: None, wait_ms: None, bind: None, reason: None }
    }
}

impl Send {
    /// A message with nothing but a payload.
    #[must_use]
    pub fn new(to: Recipients, payload: Json) -> Self {
        Self {
            to,
            payload,
            r#type: None,
            subject: None,
            correlation_id: None,
            reply_to: None,
            thread_id: None,
            priority: None,
            ttl_ms: None,
            delay_ms: None,
            dedupe_key: None,
        }
    }
}

impl Request {
    /// A question with nothing but a payload.
    #[must_use]
    pub fn new(to: Address, payload: Json) -> Self {
        Self { to, payload, r#type: None, subject: None, thread_id: None, timeout_ms: None }
    }
}

impl Draft {
    /// A task with nothing but a title.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Create::new(title).into()
    }
}

impl Create {
    /// A task with nothing but a title.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            description: None,
            payload: None,
            priority: None,
            tags: None,
            role: None,
            depends_on: None,
            parent: None,
            delay_ms: None,
            max_attempts: None,
            backoff_ms: None,
            on_dependency_failure: None,
            review: None,
            dedupe_key: None,
        }
    }
}

impl Extend {
    /// A lease that starts anew, with its own length.
    #[must_use]
    pub fn new(token: Token) -> Self {
        Self { token, lease_ms: None, progress: None, note: None, checkpoint: None }
    }
}

impl Fail {
    /// An attempt that came to nothing and may be tried again.
    #[must_use]
    pub fn new(token: Token, error: impl Into<String>) -> Self {
        Self { token, error: error.into(), retryable: None }
    }
}

impl Wait {
    /// Waits for all of these tasks.
    #[must_use]
    pub fn new(ids: Vec<TaskId>, timeout_ms: WaitMs) -> Self {
        Self { ids, mode: None, timeout_ms }
    }
}

impl Open {
    /// A vote of all agents that are here.
    #[must_use]
    pub fn new(question: impl Into<String>, options: Vec<Label>, deadline_ms: TtlMs) -> Self {
        Self { question: question.into(), options, voters: None, deadline_ms, quorum: None }
    }
}

impl Take {
    /// A token of a bucket that gets `rate` of them every `per_ms`, without waiting.
    #[must_use]
    pub fn new(name: Key, rate: u64, per_ms: TtlMs) -> Self {
        Self { name, rate, per_ms, burst: None, wait_ms: None }
    }
}
