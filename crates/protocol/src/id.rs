//! The JSON-RPC id of a request: an integer or a string, given back as it came.
//!
//! Invariant: whatever a client sent as an id compares equal to itself and is answered digit by digit, also beyond 64
//! bits. Ids need not be distinct; nothing here gives any out.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Error as _, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::json::object::{Sink, Text};

/// A request's id. Cloning is at most a reference count.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RequestId(Repr);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Repr {
    Integer(i64),
    /// An integer that an `i64` would not give back as written: its digits.
    Digits(Arc<str>),
    Text(Arc<str>),
}

impl RequestId {
    /// The id that the JSON text `text` (one value, no space around it) is; `None` for anything but an integer
    /// (no fraction, no exponent) or a string.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        if text.starts_with('"') {
            let text: Cow<'_, str> = crate::json::string(text)?;
            return Some(Self(Repr::Text(Arc::from(text))));
        }
        let digits = text.strip_prefix('-').unwrap_or(text);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        match text.parse() {
            Ok(0) if text == "-0" => Some(Self(Repr::Digits(Arc::from(text)))),
            Ok(integer) => Some(Self(Repr::Integer(integer))),
            Err(_) => Some(Self(Repr::Digits(Arc::from(text)))),
        }
    }

    /// The id as an integer, where it is one that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self.0 {
            Repr::Integer(integer) => Some(integer),
            Repr::Digits(_) | Repr::Text(_) => None,
        }
    }
}

impl From<i64> for RequestId {
    fn from(integer: i64) -> Self {
        Self(Repr::Integer(integer))
    }
}

impl From<&str> for RequestId {
    fn from(text: &str) -> Self {
        Self(Repr::Text(Arc::from(text)))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Integer(integer) => write!(f, "{integer}"),
            Repr::Digits(digits) => f.write_str(digits),
            Repr::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Repr::Integer(integer) => serializer.serialize_i64(*integer),
            Repr::Digits(digits) => {
                let raw: &RawValue = serde_json::from_str(digits).map_err(S::Error::custom)?;
                raw.serialize(serializer)
            }
            Repr::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl Text for RequestId {
    fn write(&self, out: &mut impl Sink) {
        match &self.0 {
            Repr::Integer(integer) => out.put(itoa::Buffer::new().format(*integer)),
            Repr::Digits(digits) => out.put(digits),
            Repr::Text(text) => text.write(out),
        }
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::from_json(raw.get())
            .ok_or_else(|| de::Error::custom(format_args!("{raw} is not an id: give an integer or a string")))
    }
}

impl JsonSchema for RequestId {
    fn schema_name() -> Cow<'static, str> {
        "RequestId".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Given back as it came.", "type": ["integer", "string"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_it_came() {
        for text in [
            "0",
            "7",
            "-7",
            "-0",
            "9223372036854775807",
            "340282366920938463463374607431768211456",
            r#""a\n""#,
        ] {
            let id: RequestId = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&id).unwrap(), text);
            assert_eq!(RequestId::from_json(text), Some(id));
        }
        assert_eq!(RequestId::from_json("7").and_then(|id| id.as_i64()), Some(7));
    }

    #[test]
    fn strings_are_the_same_id_however_they_were_escaped_and_never_a_number() {
        assert_eq!(RequestId::from_json(r#""\u0061""#), Some(RequestId::from("a")));
        assert_ne!(RequestId::from_json(r#""7""#), RequestId::from_json("7"));
    }

    #[test]
    fn nothing_else_is_an_id() {
        for text in ["null", "true", "1.0", "1e2", "-", "", "{}", "[1]", r#""\ud800""#] {
            assert_eq!(RequestId::from_json(text), None, "{text}");
        }
        assert!(serde_json::from_str::<RequestId>("1.5").unwrap_err().to_string().contains("not an id"));
    }
}
