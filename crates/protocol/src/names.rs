//! The validated names of the protocol: namespaces, agents, roles, keys, topics.
//!
//! Invariant: a value of one of these types has passed its rule, so nothing behind the wire checks again.
//! Cloning is a reference count. Lock names have a grammar of their own and live in the broker (`lock::pattern`).

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::{Serialize, Serializer};

use crate::limits::{AGENT_NAME_BYTES_MAX, KEY_BYTES_MAX, NAMESPACE_BYTES_MAX};

/// Why a text is not a valid name. `Display` completes "failed to ...: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is empty.
    #[error("{what} is empty: give 1 to {max} bytes")]
    Empty {
        /// What kind of name it is.
        what: &'static str,
        /// The limit in bytes.
        max: usize,
    },
    /// The text is longer than its limit.
    #[error("{what} has {len} bytes, at most {max} are allowed")]
    TooLong {
        /// What kind of name it is.
        what: &'static str,
        /// The length given, in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
    /// The text has a character that this kind of name does not take.
    #[error("{what} has the character {found:?} at byte {offset}: {allowed}")]
    Character {
        /// What kind of name it is.
        what: &'static str,
        /// The offending character.
        found: char,
        /// Where it stands, in bytes.
        offset: usize,
        /// What is allowed, for a person.
        allowed: &'static str,
    },
}

fn check(
    text: &str,
    what: &'static str,
    max: usize,
    allowed: &'static str,
    is_allowed: fn(char) -> bool,
) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what, max });
    }
    if text.len() > max {
        return Err(NameError::TooLong { what, len: text.len(), max });
    }
    match text.char_indices().find(|&(_, c)| !is_allowed(c)) {
        None => Ok(()),
        Some((offset, found)) => Err(NameError::Character { what, found, offset, allowed }),
    }
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

fn is_namespace_char(c: char) -> bool {
    is_name_char(c) || c == '/'
}

/// `char::is_control` is C0, DEL and C1: exactly what keys may not have.
fn is_text_char(c: char) -> bool {
    !c.is_control()
}

macro_rules! name {
    ($(#[doc = $doc:literal])* $name:ident, $what:literal, $max:expr, $pattern:literal, $allowed:literal, $is_allowed:expr) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` when it keeps the rule of this kind of name.
            ///
            /// # Errors
            /// [`NameError`] says what is wrong with it and what is allowed.
            pub fn new(text: &str) -> Result<Self, NameError> {
                check(text, $what, $max, $allowed, $is_allowed)?;
                Ok(Self(Arc::from(text)))
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!($what, ", a string"))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        $name::new(text).map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let description = concat!($($doc),*).trim();
                json_schema!({
                    "description": description,
                    "type": "string",
                    "minLength": 1,
                    "maxLength": $max,
                    "pattern": $pattern,
                })
            }
        }
    };
}

name!(
    /// A board of its own: 1 to 255 bytes of `[A-Za-z0-9._/-]`.
    Namespace, "a namespace", NAMESPACE_BYTES_MAX, "^[A-Za-z0-9._/-]+$",
    "letters, digits and . _ / - are allowed", is_namespace_char
);
name!(
    /// Who acts: 1 to 64 bytes of `[A-Za-z0-9._-]`.
    AgentName, "an agent name", AGENT_NAME_BYTES_MAX, "^[A-Za-z0-9._-]+$",
    "letters, digits and . _ - are allowed", is_name_char
);
name!(
    /// What an agent is for, as addressed by `role:` and `any:`: 1 to 64 bytes of `[A-Za-z0-9._-]`.
    Role, "a role", AGENT_NAME_BYTES_MAX, "^[A-Za-z0-9._-]+$",
    "letters, digits and . _ - are allowed", is_name_char
);
name!(
    /// A key of the keyspace: 1 to 512 bytes of UTF-8 without control characters.
    Key, "a key", KEY_BYTES_MAX, "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
    "control characters are not allowed", is_text_char
);
name!(
    /// A short text that programs compare: a message type, a queue group, a capability. 1 to 512 bytes of UTF-8
    /// without control characters.
    Label, "a label", KEY_BYTES_MAX, "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
    "control characters are not allowed", is_text_char
);
name!(
    /// A topic to publish on, or a pattern to subscribe to: 1 to 512 bytes of UTF-8 without control
    /// characters. The rules of tokens (`.`, `*`, `>`) are the broker's (`topics`).
    Topic, "a topic", KEY_BYTES_MAX, "^[^\\u0000-\\u001f\\u007f-\\u009f]+$",
    "control characters are not allowed", is_text_char
);

impl Namespace {
    /// Where a raw socket starts: `default`.
    #[must_use]
    pub fn default_board() -> Self {
        Self(Arc::from("default"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_take_what_the_contract_allows_and_say_what_is_wrong_with_the_rest() {
        assert!(Namespace::new("repo/app-0123456789ab").is_ok());
        assert!(AgentName::new("agent-implementation_1.b").is_ok());
        assert!(Key::new("lock: a (b) [c] @ é").is_ok());
        assert_eq!(
            AgentName::new("a b").unwrap_err().to_string(),
            "an agent name has the character ' ' at byte 1: letters, digits and . _ - are allowed"
        );
        assert!(matches!(Key::new(""), Err(NameError::Empty { .. })));
        assert!(Key::new(&"k".repeat(512)).is_ok());
        assert!(matches!(Key::new(&"k".repeat(513)), Err(NameError::TooLong { len: 513, max: 512, .. })));
        for control in ["a\u{0}", "a\n", "a\u{7f}", "a\u{85}"] {
            assert!(matches!(Key::new(control), Err(NameError::Character { offset: 1, .. })), "{control:?}");
        }
    }
}
