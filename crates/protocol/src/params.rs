//! From the raw `params` of a request to a method's type, with errors that name the member; and the numbers that
//! many methods take.
//!
//! Invariant: whatever serde refuses is an `invalid_params` whose `data.member` and message say which member, what
//! it was and what it should be. What a member means is the methods' affair.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, DeserializeOwned, Deserializer, MapAccess, Unexpected, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::limits::{LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, TTL_MS_MAX, VALUE_DEPTH_MAX, WAIT_MS_MAX};
use crate::{Error, ErrorKind, Json, scan};

/// The parameters of a method.
pub trait Params: DeserializeOwned {
    /// Shows `visit` each value or payload, with the name of its member: what `value_bytes` and the nesting limit
    /// apply to.
    fn each_payload(&self, _visit: &mut dyn FnMut(&'static str, &Json)) {}
}

/// Reads the `params` of a request; absent and null count as `{}`.
///
/// # Errors
/// `invalid_params` with `member` (a path such as `then[0].set.key`) for a member that is unknown, doubled,
/// missing, of the wrong type, or out of range.
pub fn decode<T: Params>(raw: Option<&str>) -> Result<T, Error> {
    let text = match raw {
        None | Some("null") => "{}",
        Some(text) => text,
    };
    if !text.starts_with('{') {
        return Err(Error::new(ErrorKind::InvalidParams, "params is not an object"));
    }
    serde_json::from_str(text).map_err(|error| explain::<T>(text, &error))
}

/// Holds each payload against the limits on values.
///
/// # Errors
/// `limit_exceeded` with `limit: "value_bytes"`, `used`, `max` for a text longer than `value_bytes`, `parse_error`
/// for nesting over 64 levels; both with `member`.
pub fn check_payloads<T: Params>(params: &T, value_bytes: usize) -> Result<(), Error> {
    let mut outcome = Ok(());
    params.each_payload(&mut |member, payload| {
        if outcome.is_ok() {
            outcome = check_payload(member, payload, value_bytes);
        }
    });
    outcome
}

fn check_payload(member: &'static str, payload: &Json, value_bytes: usize) -> Result<(), Error> {
    let used = payload.len();
    if used > value_bytes {
        let message = format!(
            "`{member}` has {used} bytes, at most {value_bytes} are allowed: store it in a file and send its path"
        );
        return Err(Error::new(ErrorKind::LimitExceeded, message)
            .with("limit", "value_bytes")
            .with("used", used)
            .with("max", value_bytes)
            .with("member", member));
    }
    // Two brackets a level: a short text can't be nested too deeply, so most payloads are not looked at.
    if used > 2 * VALUE_DEPTH_MAX && scan::depth(payload.as_str().as_bytes()) > VALUE_DEPTH_MAX {
        let message = format!("`{member}` is nested deeper than {VALUE_DEPTH_MAX} levels: flatten it");
        return Err(Error::new(ErrorKind::ParseError, message).with("member", member));
    }
    Ok(())
}

/// What was wrong, found by a second and slower reading that keeps track of where it is.
fn explain<T: Params>(text: &str, error: &serde_json::Error) -> Error {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let Err(tracked) = serde_path_to_error::deserialize::<_, T>(&mut deserializer) else {
        return Error::new(ErrorKind::InvalidParams, clip(&scan::reason(error)));
    };
    let path = tracked.path().to_string();
    let path = if path == "." { "" } else { &path };
    let words = scan::reason(tracked.inner());
    let fault_of = |name: &str, fault: &str| {
        let member = join(path, name);
        let message = format!("the member `{member}` {fault}");
        (member, message)
    };
    let (member, message) = if let Some(rest) = words.strip_prefix("unknown field ") {
        let expected =
            rest.split_once(", ").map_or_else(String::new, |(_, expected)| format!(", {expected}"));
        (path.to_owned(), format!("unknown member `{path}`{expected}"))
    } else if let Some(name) = words.strip_prefix("missing field ") {
        fault_of(name, "is missing")
    } else if let Some(name) = words.strip_prefix("duplicate field ") {
        fault_of(name, "is given twice")
    } else {
        (path.to_owned(), format!("`{path}`: {}", plain(&words)))
    };
    Error::new(ErrorKind::InvalidParams, clip(&message)).with("member", clip(&member))
}

/// The path of the member `name` (in backticks) of the object at `path`.
fn join(path: &str, name: &str) -> String {
    let name = name.trim_matches('`');
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// The parser's words on a wrong type, with JSON's names for types in place of Rust's.
fn plain(words: &str) -> String {
    let wrong = ["invalid type: ", "invalid value: ", "invalid length "]
        .iter()
        .find_map(|prefix| words.strip_prefix(prefix));
    let Some((found, expected)) = wrong.and_then(|wrong| wrong.rsplit_once(", expected ")) else {
        return words.to_owned();
    };
    let expected = match expected {
        "u8" | "u16" | "u32" | "u64" | "usize" => "an integer from 0",
        "i8" | "i16" | "i32" | "i64" => "an integer",
        "f32" | "f64" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        other if other.starts_with("struct ") => "an object",
        other if other.starts_with("enum ") => "a string",
        other => other,
    };
    let found = match found {
        "map" => "an object",
        "sequence" => "an array",
        other => other,
    };
    format!("found {}, expected {expected}", clip(found))
}

/// The longest piece of a client's own text that an error gives back, in bytes: a line or two.
const CLIP_BYTES: usize = 240;

/// `text`, or its beginning where it is long.
pub(crate) fn clip(text: &str) -> String {
    if text.len() <= CLIP_BYTES {
        return text.to_owned();
    }
    format!("{}...", &text[..text.floor_char_boundary(CLIP_BYTES)])
}

/// A `T` that is written as an object. Derived structs take an array of their members too; on this wire that is a
/// wrong type.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members)).map(Object)
            }
        }
        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// For `#[serde(deserialize_with = "object")]` on a struct inside parameters: an object, not an array of its members.
///
/// # Errors
/// When it is no object, or not a `T`.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// As [`object`], for an `Option` (with `default`): null counts as absent.
///
/// # Errors
/// When it is neither null nor an object that is a `T`.
pub fn optional_object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let object: Option<Object<T>> = Option::deserialize(deserializer)?;
    Ok(object.map(|Object(value)| value))
}

/// As [`object`], for an array of structs (with `default`): null counts as absent.
///
/// # Errors
/// When it is neither null nor an array, or one of its elements no object that is a `T`.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let objects: Option<Vec<Object<T>>> = Option::deserialize(deserializer)?;
    Ok(objects.unwrap_or_default().into_iter().map(|Object(value)| value).collect())
}

macro_rules! bounded {
    ($(#[$doc:meta])* $name:ident($integer:ident), $what:literal, $min:expr, $max:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($integer);

        impl $name {
            /// The smallest value.
            pub const MIN: Self = Self($min);
            /// The largest value.
            pub const MAX: Self = Self($max);

            /// Takes `value` when it is in range.
            #[must_use]
            pub const fn new(value: $integer) -> Option<Self> {
                if Self::clamped(value).0 == value { Some(Self(value)) } else { None }
            }

            /// The value in range that is nearest to `value`.
            #[must_use]
            pub const fn clamped(value: $integer) -> Self {
                if value < Self::MIN.0 {
                    Self::MIN
                } else if value > Self::MAX.0 {
                    Self::MAX
                } else {
                    Self(value)
                }
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> $integer {
                self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Number;
                impl Visitor<'_> for Number {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        write!(f, concat!($what, ", an integer from {} to {}"), $name::MIN.0, $name::MAX.0)
                    }
                    fn visit_u64<E: de::Error>(self, value: u64) -> Result<$name, E> {
                        let number = $integer::try_from(value).ok().and_then($name::new);
                        number.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(value), &self))
                    }
                    fn visit_i64<E: de::Error>(self, value: i64) -> Result<$name, E> {
                        Err(E::invalid_value(Unexpected::Signed(value), &self))
                    }
                }
                deserializer.deserialize_u64(Number)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "integer", "minimum": $min, "maximum": $max })
            }
        }
    };
}

bounded!(
    /// How long something lives or is leased, in milliseconds: 1 ms to 10 years.
    TtlMs(u64), "a TTL in milliseconds", 1, TTL_MS_MAX
);
bounded!(
    /// How long a request waits, in milliseconds: 0 (not at all) to 24 h.
    WaitMs(u64), "a wait in milliseconds", 0, WAIT_MS_MAX
);
bounded!(
    /// Entries that a list gives at most: 1 to 1000, 100 when nothing is said.
    ListLimit(usize), "a number of entries", 1, LIST_LIMIT_MAX
);

impl Default for ListLimit {
    fn default() -> Self {
        Self(LIST_LIMIT_DEFAULT)
    }
}

#[cfg(test)]
mod tests;
