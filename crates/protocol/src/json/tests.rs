//! Values are kept as they were written.

use serde::{Deserialize, Serialize};

use super::*;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Members {
    #[serde(default, deserialize_with = "present::deserialize", skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
    #[serde(default, deserialize_with = "clearable::deserialize", skip_serializing_if = "Option::is_none")]
    task: Option<Option<String>>,
    #[serde(default, deserialize_with = "null_as_default")]
    flag: bool,
}

#[test]
fn a_value_is_kept_as_written() {
    let text = r#"{"b":1.0,  "a":[1E2,100000000000000000000000001],"b":"\u00e9\/"}"#;
    let json: Json = serde_json::from_str(text).unwrap();
    assert_eq!(json.as_str(), text);
    assert_eq!(serde_json::to_string(&json).unwrap(), text);
    assert_eq!((json.len(), json.depth()), (text.len(), 2));
    assert_eq!(Json::null().depth(), 0);
    assert!(Json::null().is_null());
}

#[test]
fn null_is_told_from_absent_where_it_matters() {
    let of = |text| serde_json::from_str::<Members>(text).unwrap();
    assert_eq!(of("{}"), Members { value: None, task: None, flag: false });
    let cleared = of(r#"{"value":null,"task":null,"flag":null}"#);
    assert_eq!(cleared, Members { value: Some(Json::null()), task: Some(None), flag: false });
    assert_eq!(serde_json::to_string(&cleared).unwrap(), r#"{"value":null,"task":null,"flag":false}"#);
    assert_eq!(of(r#"{"task":"a"}"#).task, Some(Some("a".to_owned())));
}

#[test]
fn values_go_in_and_out_of_types() {
    let json = Json::from_value(&[1, 2]).unwrap();
    assert_eq!(json.as_str(), "[1,2]");
    assert_eq!(json.to::<Vec<u8>>().unwrap(), [1, 2]);
    assert!(json.to::<String>().is_err());
}

#[test]
fn a_parsed_text_has_no_line_break_and_keeps_the_rules_of_a_frame() {
    assert_eq!(Json::parse(" [1,\r\n2]\n").unwrap().as_str(), "[1,  2]");
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(Json::parse(&deep(64)).is_ok());
    for (text, offset) in [
        (" [1,}".to_owned(), 4),
        ("1 2".to_owned(), 2),
        (deep(65), 64),
        (r#" ["\ud800"]"#.to_owned(), 3),
        ("[1e999]".to_owned(), 1),
        (String::new(), 0),
    ] {
        let error = Json::parse(&text).unwrap_err();
        assert_eq!((error.kind, &error.details["offset"]), (ErrorKind::ParseError, &offset.into()), "{text}");
    }
}
