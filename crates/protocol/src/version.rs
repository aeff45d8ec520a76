//! Protocol versions and how two sides agree on one. Lacks any notion of the product's own version.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::{Error, ErrorKind};

/// The only version so far; the lowest and the highest that this build speaks.
pub const PROTOCOL: VersionRange = VersionRange { min: 1, max: 1 };

/// The versions that one side speaks, both ends included. On the wire `{"min":1,"max":2}` or one integer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct VersionRange {
    /// The lowest version.
    pub min: u32,
    /// The highest version.
    pub max: u32,
}

impl VersionRange {
    /// The highest version that both sides speak.
    ///
    /// # Errors
    /// `unsupported_version` with this side's `min` and `max` when there is none.
    pub fn negotiate(self, client: Self) -> Result<u32, Error> {
        let highest = self.max.min(client.max);
        if highest >= self.min.max(client.min) {
            return Ok(highest);
        }
        let advice = if client.min > self.max { "upgrade the daemon" } else { "upgrade the client" };
        Err(Error::new(
            ErrorKind::UnsupportedVersion,
            format!(
                "the client speaks protocol {} to {}, the daemon {} to {}: {advice}",
                client.min, client.max, self.min, self.max
            ),
        )
        .with("min", self.min)
        .with("max", self.max))
    }
}

impl<'de> Deserialize<'de> for VersionRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Range {
            min: u32,
            max: u32,
        }
        struct Form;
        impl<'de> Visitor<'de> for Form {
            type Value = VersionRange;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a version number or {min, max}")
            }
            fn visit_u64<E: de::Error>(self, version: u64) -> Result<VersionRange, E> {
                let version = u32::try_from(version)
                    .map_err(|_| E::invalid_value(Unexpected::Unsigned(version), &self))?;
                Ok(VersionRange { min: version, max: version })
            }
            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<VersionRange, A::Error> {
                let Range { min, max } = Range::deserialize(MapAccessDeserializer::new(members))?;
                Ok(VersionRange { min, max })
            }
        }
        deserializer.deserialize_any(Form)
    }
}

impl JsonSchema for VersionRange {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "VersionRange".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let range = json_schema!({
            "description": "The versions that one side speaks, both ends included.",
            "type": "object",
            "required": ["min", "max"],
            "additionalProperties": false,
            "properties": {
                "min": { "type": "integer", "minimum": 1, "description": "The lowest version." },
                "max": { "type": "integer", "minimum": 1, "description": "The highest version." },
            },
        });
        if generator.contract().is_serialize() {
            return range;
        }
        json_schema!({ "oneOf": [{ "type": "integer", "minimum": 1 }, range] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_meet_at_the_highest_common_version_or_hear_what_to_upgrade() {
        let ours = VersionRange { min: 2, max: 4 };
        assert_eq!(ours.negotiate(VersionRange { min: 1, max: 3 }).unwrap(), 3);
        assert_eq!(ours.negotiate(VersionRange { min: 4, max: 9 }).unwrap(), 4);
        let newer = ours.negotiate(VersionRange { min: 5, max: 5 }).unwrap_err();
        assert_eq!(newer.kind, ErrorKind::UnsupportedVersion);
        assert!(newer.message.ends_with("upgrade the daemon"), "{}", newer.message);
        let older = ours.negotiate(VersionRange { min: 1, max: 1 }).unwrap_err();
        assert!(older.message.ends_with("upgrade the client"), "{}", older.message);
    }

    #[test]
    fn a_range_is_one_number_or_two() {
        let one: VersionRange = serde_json::from_str("3").unwrap();
        assert_eq!(one, VersionRange { min: 3, max: 3 });
        let two: VersionRange = serde_json::from_str(r#"{"min":1,"max":2}"#).unwrap();
        assert_eq!(two, VersionRange { min: 1, max: 2 });
        for wrong in [r#""1""#, "[1,1]", "-1", "1.0", "4294967296"] {
            assert!(serde_json::from_str::<VersionRange>(wrong).is_err(), "{wrong}");
        }
    }
    #[test]
    fn a_wrong_member_of_a_range_is_named() {
        use crate::methods::{Command, Method};
        for (text, member) in [
            (r#"{"protocol":{"min":1}}"#, "protocol.max"),
            (r#"{"protocol":{"min":1,"max":2,"mx":3}}"#, "protocol.mx"),
            (r#"{"protocol":{"min":1,"max":"2"}}"#, "protocol.max"),
            (r#"{"protocol":[1,1]}"#, "protocol"),
        ] {
            let error = Command::decode(Method::SessionOpen, Some(text), 1 << 20).unwrap_err();
            assert_eq!(error.details["member"], member);
        }
    }
}
