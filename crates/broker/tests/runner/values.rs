//! Names that a script has bound to values, and their place in requests.

use std::collections::BTreeMap;

use serde_json::Value;

/// What the script has bound, and the present moment.
#[derive(Debug, Default)]
pub struct Values {
    bound: BTreeMap<String, Value>,
    /// Unix milliseconds.
    pub unix_ms: u64,
}

/// A name with what is added to its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Name {
    /// The name, without its `@`.
    pub name: String,
    /// What follows as `+1`.
    pub plus: i64,
}

impl Name {
    /// Cuts a name and its `+1` off the front of `text`.
    pub fn cut(text: &str) -> (Self, &str) {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
        let (name, rest) = text.split_at(end);
        let digits = rest
            .strip_prefix(['+', '-'])
            .map_or(0, |rest| rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len());
        let (plus, rest) = if digits == 0 { ("0", rest) } else { rest.split_at(digits + 1) };
        let name = Self { name: name.to_owned(), plus: plus.parse().unwrap() };
        (name, rest)
    }
}

impl Values {
    /// The value of a name, if it is bound.
    pub fn find(&self, name: &Name) -> Option<Value> {
        let value = self.bound.get(&name.name)?;
        if name.plus == 0 {
            return Some(value.clone());
        }
        Some(Value::from(value.as_i64()? + name.plus))
    }

    /// Binds a name.
    pub fn bind(&mut self, name: &Name, value: &Value) {
        self.bound.insert(name.name.clone(), value.clone());
    }

    /// A request with the values in the place of their names.
    ///
    /// # Errors
    /// Names a name that is not bound.
    pub fn fill(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        let mut in_string = false;
        while let Some(at) = rest.find(['"', '@', '\\']) {
            filled.push_str(&rest[..at]);
            let found = &rest[at..=at];
            rest = &rest[at + 1..];
            if found == "\\" {
                let escaped = rest.chars().next().map_or(0, char::len_utf8);
                filled.push_str(found);
                filled.push_str(&rest[..escaped]);
                rest = &rest[escaped..];
            } else if found == "@" && !in_string {
                let (name, after) = Name::cut(rest);
                let value = self.find(&name).ok_or_else(|| format!("@{} is not bound yet", name.name))?;
                filled.push_str(&value.to_string());
                rest = after;
            } else {
                in_string ^= found == "\"";
                filled.push_str(found);
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }
}
