//! The errors that cross the socket: their kinds, their codes, and the object that carries one.
//!
//! Invariant: `data.kind` is always written, and it alone says what an error is; codes are shared by kinds, and the
//! message is for people. Errors of the house that never reach a client are not here.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, SerializeStruct, Serializer};
use serde_json::{Map, Value};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal $code:literal,)+) => {
        /// What went wrong, as programs branch on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, JsonSchema)]
        pub enum ErrorKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)+
        }

        impl ErrorKind {
            /// Every kind, in the order of the contract's table.
            pub const ALL: &[Self] = &[$(Self::$kind,)+];

            /// The JSON-RPC code. Several kinds may share one.
            #[must_use]
            pub const fn code(self) -> i32 {
                match self {
                    $(Self::$kind => $code,)+
                }
            }

            /// The name on the wire: `snake_case`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)+
                }
            }
        }
    };
}

kinds! {
    /// Not JSON that every client could read; carries `offset`, in bytes of the frame.
    ParseError "parse_error" -32700,
    /// JSON, but not a request; carries `member` where one is at fault.
    InvalidRequest "invalid_request" -32600,
    /// No such method.
    MethodNotFound "method_not_found" -32601,
    /// Parameters that the method does not take; carries `member`.
    InvalidParams "invalid_params" -32602,
    /// A fault of the daemon.
    Internal "internal" -32603,
    /// What was named does not exist; carries `what`.
    NotFound "not_found" -32001,
    /// The revision is another than the one expected; carries `revision`, 0 = absent.
    RevisionMismatch "revision_mismatch" -32002,
    /// It exists, and was to be created; carries `revision`.
    AlreadyExists "already_exists" -32002,
    /// Others hold the lock, or wait for it; carries `conflicts`.
    LockHeld "lock_held" -32003,
    /// Waiting would close a cycle; carries `cycle`.
    Deadlock "deadlock" -32004,
    /// A wait ran out; carries `waited_ms`.
    Timeout "timeout" -32005,
    /// The token or receipt is over; carries `why`.
    StaleToken "stale_token" -32006,
    /// The call needs an agent, and the session has none.
    AgentRequired "agent_required" -32007,
    /// It belongs to another agent; carries `assignee` or `agent`.
    NotOwner "not_owner" -32007,
    /// A limit would be passed; carries `limit`, `used`, `max`.
    LimitExceeded "limit_exceeded" -32008,
    /// Nobody is there to answer; carries `to`.
    NoResponders "no_responders" -32009,
    /// The history wanted is gone; carries `min_revision`.
    Compacted "compacted" -32010,
    /// Tasks would depend on themselves; carries `cycle`.
    DependencyCycle "dependency_cycle" -32011,
    /// A dependency does not exist; carries `ids`.
    UnknownDependency "unknown_dependency" -32011,
    /// The daemon is stopping.
    ShuttingDown "shutting_down" -32012,
    /// The configuration or the contract keeps this from the caller.
    PermissionDenied "permission_denied" -32013,
    /// No protocol version in common; carries `min`, `max`.
    UnsupportedVersion "unsupported_version" -32014,
    /// The store could not write; carries `applied`.
    StorageFailed "storage_failed" -32015,
    /// A frame over the limit; carries `max`, in bytes.
    FrameTooLarge "frame_too_large" -32016,
    /// The value is of another type than the method works on.
    TypeMismatch "type_mismatch" -32017,
    /// The waiting request was withdrawn.
    Cancelled "cancelled" -32018,
    /// The task can't be had in its status; carries `status`, `waits_for`.
    NotReady "not_ready" -32019,
}

impl ErrorKind {
    fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// An error object: `{"code":..,"message":..,"data":{"kind":..,...}}`.
///
/// One of a kind that this version does not know reads as [`ErrorKind::Internal`] and keeps its code, its message and
/// its kind's name (in `details`), so that it is written as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    /// What programs branch on.
    pub kind: ErrorKind,
    code: i32,
    /// For people: what failed, on what, and what to do next.
    pub message: Box<str>,
    /// The members of `data` beside `kind`.
    pub details: Map<String, Value>,
}

impl Error {
    /// An error of `kind` without details.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<Box<str>>) -> Self {
        Self { kind, code: kind.code(), message: message.into(), details: Map::new() }
    }

    /// The same error with one more member in `data`. A value that JSON can't express is written as null.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Serialize) -> Self {
        let value = serde_json::to_value(value).unwrap_or(Value::Null);
        self.details.insert(name.to_owned(), value);
        self
    }

    /// The JSON-RPC code: the kind's, or the one that came with an unknown kind.
    #[must_use]
    pub const fn code(&self) -> i32 {
        self.code
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

struct Data<'a>(&'a Error);

impl Serialize for Data<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let details = &self.0.details;
        let mut data = serializer.serialize_map(None)?;
        if !details.contains_key("kind") {
            data.serialize_entry("kind", &self.0.kind)?;
        }
        for (name, value) in details {
            data.serialize_entry(name, value)?;
        }
        data.end()
    }
}

impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut error = serializer.serialize_struct("Error", 3)?;
        error.serialize_field("code", &self.code)?;
        error.serialize_field("message", &self.message)?;
        error.serialize_field("data", &Data(self))?;
        error.end()
    }
}

#[derive(serde::Deserialize)]
struct Wire {
    code: i32,
    message: Box<str>,
    #[serde(default)]
    data: Option<Value>,
}

impl<'de> Deserialize<'de> for Error {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Wire { code, message, data } = Wire::deserialize(deserializer)?;
        let mut details = match data {
            Some(Value::Object(members)) => members,
            Some(_) | None => Map::new(),
        };
        let known = details.get("kind").and_then(Value::as_str).and_then(ErrorKind::from_name);
        if known.is_some() {
            details.remove("kind");
        }
        Ok(Self { kind: known.unwrap_or(ErrorKind::Internal), code, message, details })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_written_as_the_contract_shows_and_reads_back() {
        let error = Error::new(ErrorKind::LimitExceeded, "the value is too long")
            .with("limit", "value_bytes")
            .with("max", 5);
        let text = serde_json::to_string(&error).unwrap();
        assert_eq!(
            text,
            r#"{"code":-32008,"message":"the value is too long","data":{"kind":"limit_exceeded","limit":"value_bytes","max":5}}"#
        );
        assert_eq!(serde_json::from_str::<Error>(&text).unwrap(), error);
        assert_eq!(error.to_string(), "the value is too long");
    }

    #[test]
    fn every_kind_keeps_its_name_across_the_wire() {
        for kind in ErrorKind::ALL.iter().copied() {
            let text = serde_json::to_string(&Error::new(kind, "m")).unwrap();
            let back: Error = serde_json::from_str(&text).unwrap();
            assert_eq!((back.kind, back.code()), (kind, kind.code()), "{text}");
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
        }
        assert_eq!(ErrorKind::ALL.len(), 27);
    }

    #[test]
    fn an_error_of_a_newer_daemon_keeps_code_message_and_name() {
        let text = r#"{"code":-32099,"message":"m","data":{"kind":"moon_phase","why":"full"}}"#;
        let error: Error = serde_json::from_str(text).unwrap();
        assert_eq!((error.kind, error.code()), (ErrorKind::Internal, -32099));
        assert_eq!(serde_json::to_string(&error).unwrap(), text);
        for odd in [r#"{"code":1,"message":""}"#, r#"{"code":1,"message":"","data":7,"more":[]}"#] {
            assert_eq!(serde_json::from_str::<Error>(odd).unwrap().kind, ErrorKind::Internal);
        }
    }

    #[test]
    fn a_result_that_may_fail_stays_small() {
        assert!(size_of::<Error>() <= 48);
    }
}
