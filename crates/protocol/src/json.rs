//! One JSON value as the bytes it came as, and the helpers that tell null from absent.
//!
//! Invariant: the text of a [`Json`] is one syntactically valid value, kept as written (member order, doubled
//! members, every digit) but for line breaks between its tokens, which became spaces on arrival. There is no tree,
//! and no access to parts.

pub mod object;

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::limits::VALUE_DEPTH_MAX;
use crate::scan;
use crate::{Error, ErrorKind};

/// One JSON value, unparsed. Cloning is a reference count; equality is that of the text.
#[derive(Clone)]
pub struct Json(Arc<RawValue>);

impl Json {
    /// The value `null`.
    #[must_use]
    pub fn null() -> Self {
        Self(Arc::from(RawValue::NULL.to_owned()))
    }

    /// What `value` serialises to.
    ///
    /// # Errors
    /// `internal` when JSON can't express it: a map whose keys are no strings.
    pub fn from_value<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        match serde_json::value::to_raw_value(value) {
            Ok(raw) => Ok(Self(Arc::from(raw))),
            Err(error) => {
                Err(Error::new(ErrorKind::Internal, format!("failed to write a value as JSON: {error}")))
            }
        }
    }

    /// The value that `text` is, with spaces for its line breaks. It keeps the rules that a value in a frame keeps.
    ///
    /// # Errors
    /// `parse_error` with `offset` when it is not one JSON value, is nested too deeply, or has a lone surrogate or a
    /// number beyond a double.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let mut bytes = text.trim_ascii().as_bytes().to_vec();
        let start = text.len() - text.trim_ascii_start().len();
        scan::grammar(text.trim_ascii()).map_err(|error| error.shifted(start).into_error())?;
        scan::scan(&bytes, VALUE_DEPTH_MAX).map_err(|fault| fault.shifted(start).into_error())?;
        scan::blank_line_breaks(&mut bytes);
        match serde_json::from_slice(&bytes) {
            Ok(raw) => Ok(Self(raw)),
            Err(error) => Err(Error::new(ErrorKind::ParseError, error.to_string())),
        }
    }

    /// The text as it is stored and sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// The length of the text, in bytes; what `value_bytes` limits. Never 0.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "the text of a JSON value is never empty")]
    pub fn len(&self) -> usize {
        self.as_str().len()
    }

    /// Whether the value is `null`.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.as_str() == "null"
    }

    /// How deeply the value is nested: 0 for a scalar, 1 for `[]`.
    #[must_use]
    pub fn depth(&self) -> usize {
        scan::depth(self.as_str().as_bytes())
    }

    /// The value as a `T`.
    ///
    /// # Errors
    /// When the value does not have the shape of a `T`; what that means is for the caller to say.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(self.as_str())
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Json {}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Arc::from(Box::<RawValue>::deserialize(deserializer)?)))
    }
}

impl JsonSchema for Json {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Json".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        Schema::from(true)
    }
}

/// The content of the JSON string `text` (with its quotes), borrowed where nothing is escaped; `None` when it is no
/// string, or has a lone surrogate.
pub(crate) fn string(text: &str) -> Option<Cow<'_, str>> {
    let content = text.strip_prefix('"')?.strip_suffix('"')?;
    if content.contains('\\') {
        serde_json::from_str(text).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(content))
    }
}

/// For an `Option<Json>` where an explicit null is a value: absent is `None`, null is `Some(null)`.
/// Use it as `#[serde(default, deserialize_with = "present::deserialize")]`; written without it, `None` being skipped.
pub mod present {
    use super::{Deserialize, Deserializer, Json};

    /// Reads what is there, null included.
    ///
    /// # Errors
    /// When the input is not JSON.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
        Json::deserialize(deserializer).map(Some)
    }
}

/// For an `Option<Option<T>>` where an explicit null clears: absent is `None`, null is `Some(None)`. Use it as
/// `#[serde(default, deserialize_with = "clearable::deserialize")]`; written without it, `None` being skipped.
pub mod clearable {
    use super::{Deserialize, Deserializer};

    /// Reads what is there, null as `Some(None)`.
    ///
    /// # Errors
    /// When it is neither null nor a `T`.
    pub fn deserialize<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de>,
    {
        Option::deserialize(deserializer).map(Some)
    }
}

/// For `#[serde(default, deserialize_with = "null_as_default")]` on a member that is no `Option` and that may be
/// left out: an explicit null counts as absent.
///
/// # Errors
/// When it is neither null nor a `T`.
pub fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests;
