//! Where messages go: `NAME`, `role:ROLE`, `any:ROLE`, `*`.
//!
//! An agent name has no `:` and no `*`, so the forms never meet.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeSeq, Serializer};

use crate::limits::RECIPIENTS_MAX;
use crate::names::{AgentName, NameError, Role};

/// One address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// `NAME`: this agent's inbox, registered or not.
    Agent(AgentName),
    /// `role:ROLE`: each live agent of the role.
    Role(Role),
    /// `any:ROLE`: exactly one live agent of the role.
    Any(Role),
    /// `*`: each live agent but the sender.
    Everyone,
}

impl FromStr for Address {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == "*" {
            return Ok(Self::Everyone);
        }
        if let Some(role) = text.strip_prefix("role:") {
            return Role::new(role).map(Self::Role);
        }
        if let Some(role) = text.strip_prefix("any:") {
            return Role::new(role).map(Self::Any);
        }
        AgentName::new(text).map(Self::Agent)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(name) => name.fmt(f),
            Self::Role(role) => write!(f, "role:{role}"),
            Self::Any(role) => write!(f, "any:{role}"),
            Self::Everyone => f.write_str("*"),
        }
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Address;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address: NAME, role:ROLE, any:ROLE or *")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Address, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl JsonSchema for Address {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Address".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "`NAME`: this agent; `role:ROLE`: each live agent of the role; `any:ROLE`: one of them; \
                `*`: each live agent but the sender.",
            "type": "string",
            "pattern": "^(\\*|((role|any):)?[A-Za-z0-9._-]{1,64})$",
        })
    }
}

/// One address or several, given back in the form it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// A string on the wire.
    One(Address),
    /// An array on the wire; 1 to 1000 addresses.
    Many(Vec<Address>),
}

impl Recipients {
    /// The addresses, in order.
    #[must_use]
    pub fn addresses(&self) -> &[Address] {
        match self {
            Self::One(address) => std::slice::from_ref(address),
            Self::Many(addresses) => addresses,
        }
    }
}

/// As a person types it: one address, or several with commas between.
impl FromStr for Recipients {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.contains(',') {
            return text.split(',').map(str::parse).collect::<Result<_, _>>().map(Self::Many);
        }
        text.parse().map(Self::One)
    }
}

impl From<AgentName> for Recipients {
    fn from(name: AgentName) -> Self {
        Self::One(Address::Agent(name))
    }
}

impl Serialize for Recipients {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::One(address) => address.serialize(serializer),
            Self::Many(addresses) => {
                let mut list = serializer.serialize_seq(Some(addresses.len()))?;
                for address in addresses {
                    list.serialize_element(address)?;
                }
                list.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Recipients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Recipients;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an address (NAME, role:ROLE, any:ROLE or *) or an array of 1 to {RECIPIENTS_MAX}")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Recipients, E> {
                text.parse().map(Recipients::One).map_err(E::custom)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Recipients, A::Error> {
                let mut addresses = Vec::new();
                while let Some(address) = list.next_element()? {
                    if addresses.len() == RECIPIENTS_MAX {
                        return Err(de::Error::custom(format_args!("more than {RECIPIENTS_MAX} addresses")));
                    }
                    addresses.push(address);
                }
                if addresses.is_empty() {
                    return Err(de::Error::invalid_length(0, &self));
                }
                Ok(Recipients::Many(addresses))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Recipients {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Recipients".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let address = generator.subschema_for::<Address>();
        json_schema!({ "oneOf": [address, { "type": "array", "items": address, "minItems": 1, "maxItems": RECIPIENTS_MAX }] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_in_the_form_they_came_in() {
        for text in [r#""alice""#, r#""role:tester""#, r#"["any:tester","*","bob"]"#, r#"["alice"]"#] {
            let recipients: Recipients = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&recipients).unwrap(), text);
        }
        for text in [r#""""#, r#""role:""#, r#""a b""#, "[]", "5", "null", r#""team:x""#] {
            assert!(serde_json::from_str::<Recipients>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn several_are_typed_with_commas() {
        let written = |text: &str| serde_json::to_string(&text.parse::<Recipients>().unwrap()).unwrap();
        assert_eq!(written("bob"), r#""bob""#);
        assert_eq!(written("bob,role:tester,*"), r#"["bob","role:tester","*"]"#);
        for text in ["", "bob,", "a b"] {
            assert!(text.parse::<Recipients>().is_err(), "{text}");
        }
    }
}
