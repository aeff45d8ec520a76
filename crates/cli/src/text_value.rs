//! Values and payloads on the command line.
//!
//! Invariant: what is typed is a string, whatever it looks like, unless the caller says that it is JSON: `5` is the text
//! `5` for one and for all, as in Redis and etcd, and no version number turns into a float.

use std::io::Read as _;

use callboard_protocol::Json;

use crate::failure::Failure;

/// The most that is read from standard input, in bytes: the largest frame there can be.
const STDIN_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The JSON value for `text` as typed; `-` stands for standard input, less one line break at its end. With `is_json` the
/// text is JSON, without it a string.
///
/// # Errors
/// When it should be JSON and is not, or standard input is no UTF-8.
pub fn read(what: &str, text: &str, is_json: bool) -> Result<Json, Failure> {
    let input = if text == "-" { Some(standard_input(what)?) } else { None };
    value_of(what, input.as_deref().unwrap_or(text), is_json)
}

fn value_of(what: &str, text: &str, is_json: bool) -> Result<Json, Failure> {
    let value = if is_json { Json::parse(text) } else { Json::from_value(text) };
    value.map_err(|error| Failure::usage(what, error.message))
}

/// All of standard input, less one line break at its end.
///
/// # Errors
/// When it is no UTF-8.
pub fn standard_input(what: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let mut input = std::io::stdin().lock().take(STDIN_BYTES_MAX);
    input
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(what, format_args!("failed to read standard input: {error}")))?;
    Ok(without_line_break(text))
}

fn without_line_break(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_a_string_unless_it_is_said_to_be_json() {
        for (text, is_json, value) in [
            ("5", false, r#""5""#),
            ("true", false, r#""true""#),
            (r#"{"a":1}"#, false, r#""{\"a\":1}""#),
            ("", false, r#""""#),
            ("5", true, "5"),
            (r#" {"a": 1.0} "#, true, r#"{"a": 1.0}"#),
        ] {
            assert_eq!(value_of("set a", text, is_json).unwrap().as_str(), value, "{text}");
        }
        assert!(value_of("set a", "{", true).is_err());
        assert!(value_of("set a", "green", true).is_err());
    }

    #[test]
    fn one_line_break_at_the_end_of_the_input_is_the_pipe_s_own() {
        for (input, text) in [("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), ("a", "a"), ("\n", "")] {
            assert_eq!(without_line_break(input.to_owned()), text);
        }
    }
}
