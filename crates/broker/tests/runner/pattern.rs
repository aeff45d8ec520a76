//! Patterns over JSON: JSON with `...`, `*`, `@name` and `now`.

use serde_json::Value;

use super::values::{Name, Values};

/// What a value must look like.
#[derive(Debug)]
pub enum Pattern {
    /// `*`
    Any,
    /// `@name`, `@name+1`
    Bound(Name),
    /// `now+500`, in Unix milliseconds.
    Now(i64),
    /// A string, a number, true, false, null.
    Exactly(Value),
    /// An array; whether it ends with `...`.
    Array(Vec<Pattern>, bool),
    /// An object; whether it ends with `...`.
    Object(Vec<(String, Pattern)>, bool),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Says where it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (pattern, rest) = parse_value(text.trim())?;
        if rest.trim().is_empty() {
            return Ok(pattern);
        }
        Err(format!("this is no pattern from here on: {rest}"))
    }

    /// Whether an object pattern names a member.
    pub fn names(&self, member: &str) -> bool {
        matches!(self, Self::Object(members, _) if members.iter().any(|(name, _)| name == member))
    }

    /// Holds `value` against the pattern; names not bound yet are bound.
    ///
    /// # Errors
    /// Says where in the value and what differs.
    pub fn check(&self, value: &Value, values: &mut Values, path: &str) -> Result<(), String> {
        match self {
            Self::Any => Ok(()),
            Self::Bound(name) => match values.find(name) {
                Some(bound) => check_equal(&bound, value, path),
                None if name.plus == 0 => {
                    values.bind(name, value);
                    Ok(())
                }
                None => Err(format!("@{} is not bound yet", name.name)),
            },
            Self::Now(plus) => {
                let wanted = i64::try_from(values.unix_ms).unwrap() + plus;
                check_equal(&Value::from(wanted), value, path)
                    .map_err(|told| format!("{told} (now is {})", values.unix_ms))
            }
            Self::Exactly(wanted) => check_equal(wanted, value, path),
            Self::Array(elements, is_open) => check_array(elements, *is_open, value, values, path),
            Self::Object(members, is_open) => check_object(members, *is_open, value, values, path),
        }
    }
}

fn check_equal(wanted: &Value, value: &Value, path: &str) -> Result<(), String> {
    if wanted == value {
        return Ok(());
    }
    Err(format!("at {path}: expected {wanted}, got {value}"))
}

fn check_array(
    elements: &[Pattern],
    is_open: bool,
    value: &Value,
    values: &mut Values,
    path: &str,
) -> Result<(), String> {
    let Value::Array(found) = value else {
        return Err(format!("at {path}: expected an array, got {value}"));
    };
    if found.len() < elements.len() || (found.len() > elements.len() && !is_open) {
        return Err(format!("at {path}: expected {} elements, got {}", elements.len(), found.len()));
    }
    for (index, (pattern, element)) in elements.iter().zip(found).enumerate() {
        pattern.check(element, values, &format!("{path}[{index}]"))?;
    }
    Ok(())
}

fn check_object(
    members: &[(String, Pattern)],
    is_open: bool,
    value: &Value,
    values: &mut Values,
    path: &str,
) -> Result<(), String> {
    let Value::Object(found) = value else {
        return Err(format!("at {path}: expected an object, got {value}"));
    };
    for (name, pattern) in members {
        let member = found.get(name).ok_or_else(|| format!("at {path}: no member {name:?}"))?;
        pattern.check(member, values, &format!("{path}.{name}"))?;
    }
    let is_expected = |name: &String| members.iter().any(|(expected, _)| expected == name);
    match found.keys().find(|name| !is_open && !is_expected(name)) {
        None => Ok(()),
        Some(name) => Err(format!("at {path}: unexpected member {name:?}")),
    }
}

fn parse_value(text: &str) -> Result<(Pattern, &str), String> {
    let text = text.trim_start();
    if let Some(rest) = text.strip_prefix('*') {
        return Ok((Pattern::Any, rest));
    }
    if let Some(rest) = text.strip_prefix('@') {
        let (name, rest) = Name::cut(rest);
        return Ok((Pattern::Bound(name), rest));
    }
    if text.starts_with("now") {
        let (name, rest) = Name::cut(text);
        return Ok((Pattern::Now(name.plus), rest));
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (elements, is_open, rest) = parse_list(rest, ']', parse_value)?;
        return Ok((Pattern::Array(elements, is_open), rest));
    }
    if let Some(rest) = text.strip_prefix('{') {
        let (members, is_open, rest) = parse_list(rest, '}', parse_member)?;
        return Ok((Pattern::Object(members, is_open), rest));
    }
    let (value, rest) = parse_scalar(text)?;
    Ok((Pattern::Exactly(value), rest))
}

fn parse_scalar(text: &str) -> Result<(Value, &str), String> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<Value>();
    match values.next() {
        Some(Ok(value)) => Ok((value, &text[values.byte_offset()..])),
        Some(Err(_)) | None => Err(format!("this is no pattern: {text}")),
    }
}

fn parse_member(text: &str) -> Result<((String, Pattern), &str), String> {
    let (name, rest) = parse_scalar(text.trim_start())?;
    let (Value::String(name), Some(rest)) = (name, rest.trim_start().strip_prefix(':')) else {
        return Err(format!("this is no member: {text}"));
    };
    let (pattern, rest) = parse_value(rest)?;
    Ok(((name, pattern), rest))
}

type Parsed<'a, T> = Result<(T, &'a str), String>;

fn parse_list<'a, T>(
    text: &'a str,
    end: char,
    parse_item: impl Fn(&'a str) -> Parsed<'a, T>,
) -> Result<(Vec<T>, bool, &'a str), String> {
    let mut items = Vec::new();
    let mut rest = text.trim_start();
    loop {
        if let Some(rest) = rest.strip_prefix(end) {
            return Ok((items, false, rest));
        }
        if let Some(open) = rest.strip_prefix("...") {
            let after = open.trim_start().strip_prefix(end);
            let after = after.ok_or_else(|| format!("... stands at the end: {rest}"))?;
            return Ok((items, true, after));
        }
        let (item, after) = parse_item(rest)?;
        items.push(item);
        rest = after.trim_start();
        if let Some(after) = rest.strip_prefix(',') {
            rest = after.trim_start();
        } else if !rest.starts_with(end) {
            return Err(format!("expected , or {end}: {rest}"));
        }
    }
}
