//! Parameters that are wrong are named.

use serde_json::Value;

use super::*;
use crate::json::{null_as_default, present};
use crate::{Key, RequestId};

#[derive(Debug, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Guard {
    key: Key,
    token: u64,
}

#[derive(Debug, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Shared,
    Exclusive,
}

#[derive(Debug, PartialEq, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Set {
    key: Key,
    #[serde(default, deserialize_with = "present::deserialize")]
    value: Option<Json>,
    ttl_ms: Option<TtlMs>,
    wait_ms: Option<WaitMs>,
    #[serde(default, deserialize_with = "null_as_default")]
    limit: ListLimit,
    #[serde(default, deserialize_with = "optional_object")]
    if_lock: Option<Guard>,
    #[serde(default, deserialize_with = "objects")]
    guards: Vec<Guard>,
    id: Option<RequestId>,
    mode: Option<Mode>,
}

impl Params for Set {
    fn each_payload(&self, visit: &mut dyn FnMut(&'static str, &Json)) {
        if let Some(value) = &self.value {
            visit("value", value);
        }
    }
}

#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Params for Nothing {}

fn of(text: &str) -> Result<Set, Error> {
    decode(Some(text))
}

#[test]
fn absent_and_null_params_are_an_empty_object() {
    assert_eq!(decode::<Nothing>(None), Ok(Nothing {}));
    assert_eq!(decode::<Nothing>(Some("null")), Ok(Nothing {}));
    let set =
        of(r#"{"key":"a","value":null,"ttl_ms":null,"limit":null,"if_lock":null,"id":"\u0061"}"#).unwrap();
    assert_eq!(set.value, Some(Json::null()));
    assert_eq!((set.ttl_ms, set.limit.get(), set.id), (None, 100, Some("a".into())));
}

#[test]
fn what_is_wrong_is_named() {
    for (text, member, words) in [
        (r#"{"kye":"a"}"#, "kye", "unknown member `kye`, expected one of `key`, `value`,"),
        (r#"{"key":"a","key":"b"}"#, "key", "the member `key` is given twice"),
        (r#"{"value":1}"#, "key", "the member `key` is missing"),
        (r#"{"key":5}"#, "key", "`key`: found integer `5`, expected a key, a string"),
        (r#"{"key":null}"#, "key", "`key`: found null, expected"),
        (r#"{"key":"a\u0000"}"#, "key", "`key`: a key has the character '\\0' at byte 1"),
        (
            r#"{"key":"a","ttl_ms":0}"#,
            "ttl_ms",
            "`ttl_ms`: found integer `0`, expected a TTL in milliseconds, an integer from 1 to",
        ),
        (r#"{"key":"a","ttl_ms":-5}"#, "ttl_ms", "found integer `-5`,"),
        (
            r#"{"key":"a","ttl_ms":1.0}"#,
            "ttl_ms",
            "found floating point `1.0`, expected a TTL in milliseconds, an integer",
        ),
        (r#"{"key":"a","ttl_ms":315360000001}"#, "ttl_ms", "to 315360000000"),
        (r#"{"key":"a","wait_ms":86400001}"#, "wait_ms", "from 0 to 86400000"),
        (r#"{"key":"a","limit":1001}"#, "limit", "from 1 to 1000"),
        (r#"{"key":"a","limit":"9"}"#, "limit", "found string \"9\""),
        (
            r#"{"key":"a","if_lock":{"key":"a","tokn":1}}"#,
            "if_lock.tokn",
            "unknown member `if_lock.tokn`, expected",
        ),
        (r#"{"key":"a","if_lock":{"key":"a"}}"#, "if_lock.token", "the member `if_lock.token` is missing"),
        (r#"{"key":"a","if_lock":{"key":"a","token":"1"}}"#, "if_lock.token", "expected an integer from 0"),
        (r#"{"key":"a","if_lock":["a",1]}"#, "if_lock", "found an array, expected an object"),
        (r#"{"key":"a","guards":[["a",1]]}"#, "guards[0]", "found an array, expected an object"),
        (r#"{"key":"a","guards":{}}"#, "guards", "found an object, expected an array"),
        (r#"{"key":"a","id":1.5}"#, "id", "1.5 is not an id"),
        (r#"{"key":"a","mode":"both"}"#, "mode", "unknown variant `both`, expected `shared` or `exclusive`"),
        (r#"{"key":"a","mode":7}"#, "mode", "`mode`: "),
    ] {
        let error = of(text).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidParams, "{text}");
        assert_eq!(error.details.get("member").and_then(Value::as_str), Some(member), "{text}: {error}");
        assert!(error.message.contains(words), "{text}: {error}");
    }
}

#[test]
fn an_error_does_not_give_a_long_text_back_whole() {
    let error = of(&format!(r#"{{"{}":1}}"#, "é".repeat(5000))).unwrap_err();
    assert!(serde_json::to_string(&error).unwrap().len() < 1000);
}

#[test]
fn payloads_are_limited_in_length_and_depth() {
    let with = |value: &str| of(&format!(r#"{{"key":"a","value":{value}}}"#)).unwrap();
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(check_payloads(&with(&deep(64)), 1000), Ok(()));
    let error = check_payloads(&with(&deep(65)), 1000).unwrap_err();
    assert_eq!((error.kind, &error.details["member"]), (ErrorKind::ParseError, &"value".into()));
    assert_eq!(check_payloads(&with("12345"), 5), Ok(()));
    let error = check_payloads(&with("123456"), 5).unwrap_err();
    assert_eq!(error.kind, ErrorKind::LimitExceeded);
    assert_eq!(
        serde_json::to_value(&error.details).unwrap(),
        serde_json::json!({ "limit": "value_bytes", "used": 6, "max": 5, "member": "value" })
    );
}

#[test]
fn bounded_numbers_are_written_and_described_as_numbers() {
    assert_eq!(serde_json::to_string(&TtlMs::clamped(0)).unwrap(), "1");
    assert_eq!(TtlMs::new(0), None);
    assert_eq!(ListLimit::clamped(5000), ListLimit::MAX);
    let schema = serde_json::to_value(schemars::schema_for!(Set)).unwrap();
    let limit = &schema["properties"]["limit"];
    assert_eq!((&limit["minimum"], &limit["maximum"]), (&1.into(), &1000.into()));
    assert_eq!(schema["required"], serde_json::json!(["key"]));
}
