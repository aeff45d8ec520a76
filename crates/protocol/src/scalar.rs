//! A number or a string, as in `progress` and an agent's `task`: kept as it came.

use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};

use crate::json::Json;
use crate::limits::TEXT_BYTES_MAX;
use crate::{Error, ErrorKind};

/// One JSON number or string.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar(Json);

impl Scalar {
    /// Takes `json` when it is a number or a string of at most [`TEXT_BYTES_MAX`] bytes.
    #[must_use]
    pub fn new(json: Json) -> Option<Self> {
        let text = json.as_str();
        (text.starts_with(['"', '-']) || text.starts_with(|c: char| c.is_ascii_digit()))
            .then_some(text.len())
            .filter(|len| *len <= TEXT_BYTES_MAX)
            .map(|_| Self(json.clone()))
    }

    /// The JSON text.
    #[must_use]
    pub fn as_json(&self) -> &Json {
        &self.0
    }
}

/// As a person types it: a number where it is one, else a string.
impl FromStr for Scalar {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = Json::parse(text).ok().filter(|json| !json.as_str().starts_with('"'));
        if let Some(number) = number.and_then(Self::new) {
            return Ok(number);
        }
        Self::new(Json::from_value(text)?).ok_or_else(|| {
            let message = format!("it is too long: at most {TEXT_BYTES_MAX} bytes are allowed");
            Error::new(ErrorKind::InvalidParams, message)
        })
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Json::deserialize(deserializer)?).ok_or_else(|| {
            D::Error::custom(format_args!("expected a number or a string of at most {TEXT_BYTES_MAX} bytes"))
        })
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "A number or a string.", "type": ["number", "string"] })
    }
}

/// A JSON object, as in `metadata`: kept as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct Object(Json);

impl Object {
    /// Takes `json` when it is an object.
    #[must_use]
    pub fn new(json: Json) -> Option<Self> {
        json.as_str().starts_with('{').then_some(Self(json))
    }

    /// The JSON text.
    #[must_use]
    pub fn as_json(&self) -> &Json {
        &self.0
    }
}

impl Serialize for Object {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Json::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("expected an object"))
    }
}

impl JsonSchema for Object {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Object".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "description": "Any JSON object.", "type": "object" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_a_number_where_it_looks_like_one() {
        for (text, json) in [
            ("40", "40"),
            ("-0.5", "-0.5"),
            ("3/5", r#""3/5""#),
            ("null", r#""null""#),
            ("\"a\"", r#""\"a\"""#),
            ("", r#""""#),
        ] {
            assert_eq!(text.parse::<Scalar>().unwrap().as_json().as_str(), json);
        }
        assert!("a".repeat(TEXT_BYTES_MAX).parse::<Scalar>().is_err());
    }
}
