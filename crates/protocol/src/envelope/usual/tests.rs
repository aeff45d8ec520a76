//! Usual requests are read quickly, and quick or not they mean the same.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::Request;

const VALUE_BYTES: usize = 32;

/// What both ways have to agree on.
fn shown(id: Option<&RequestId>, command: &Command) -> String {
    format!("{id:?} {command:?}")
}

fn read_carefully(frame: &[u8]) -> Option<String> {
    let mut frame = frame.to_vec();
    let Request { id, method, params } = Request::parse(&mut frame).ok()?;
    let method = Method::from_name(&method)?;
    let command = Command::decode(method, params.map(RawValue::get), VALUE_BYTES).ok()?;
    Some(shown(id.as_ref(), &command))
}

fn read_quickly(frame: &[u8]) -> Option<String> {
    UsualRequest::read(frame, VALUE_BYTES).map(|usual| shown(usual.id.as_ref(), &usual.command))
}

#[test]
fn requests_as_clients_write_them_are_read_quickly() {
    for frame in [
        r#"{"jsonrpc":"2.0","id":7,"method":"kv.get","params":{"key":"a"}}"#,
        r#"{"jsonrpc": "2.0", "id": 7, "method": "kv.get", "params": {"key": "a"}}"#,
        r#"{"id":0,"method":"kv.set","params":{"key":"é","value":{"a":[1,"\"}"]}}}"#,
        r#"{"id":"0b6f","method":"server.ping"}"#,
        r#"{"method":"agent.heartbeat","params":{}}"#,
        r#"{"method":"kv.get","id":123456789012345678,"params":{"key":"a"}}"#,
    ] {
        assert!(read_quickly(frame.as_bytes()).is_some(), "{frame}");
        assert_eq!(read_quickly(frame.as_bytes()), read_carefully(frame.as_bytes()), "{frame}");
    }
}

#[test]
fn what_is_wrong_or_strange_is_left_to_the_careful_reader() {
    for frame in [
        r#"{"id":7,"method":"kv.get","params":{"key":"a"}}}"#,
        r#"{"id":7,"method":"kv.get","params":{"key":"a"}"#,
        r#"{"id":7,"method":"kv.get","params":{"key":"a"},"id":8}"#,
        r#"{"id":7,"id":7,"method":"kv.get","params":{"key":"a"}}"#,
        r#"{"id":07,"method":"server.ping"}"#,
        r#"{"id":7.0,"method":"server.ping"}"#,
        r#"{"id":7,"method":"server.ping"} "#,
        r#"{"id":7,"method":"server.ping",}"#,
        r#"{"id":7,"method":"server.ping","params":null}"#,
        r#"{"id":7,"method":"server.ping","params":[]}"#,
        r#"{"id":7,"method":"kv.get","params":{"key":"\ud800"}}"#,
        r#"{"id":7,"method":"kv.set","params":{"key":"a","value":"a text of 33 bytes with its quotes"}}"#,
        "{\"id\":7,\"method\":\"kv.get\",\n\"params\":{\"key\":\"a\"}}",
        r#"{"id":7,"params":{"key":"a"}}"#,
        r#"{"id":7,"method":"no.such"}"#,
        "{\"id\":\"a\tb\",\"method\":\"server.ping\"}",
        "{",
        "",
    ] {
        assert_eq!(read_quickly(frame.as_bytes()), None, "{frame}");
    }
}

/// Objects whose members are those of requests, now and then wrong, doubled or strangely written.
fn requests() -> impl Strategy<Value = Vec<u8>> {
    let members = [
        r#""id":7"#,
        r#""id": 7"#,
        r#""id":"a""#,
        r#""id":"\u0061""#,
        r#""id":-7"#,
        r#""id":007"#,
        r#""id":9223372036854775808"#,
        r#""id":7.5"#,
        r#""id":null"#,
        r#""method":"kv.set""#,
        r#""method": "kv.set""#,
        r#""method":"kv.set""#,
        r#""method":"kv.s\u0065t""#,
        r#""params":{"key":"a","value":[1]}"#,
        r#""params": {"key": "a", "value": {"b": null}}"#,
        r#""params":{"value":[1e999],"key":"a"}"#,
        r#""params":{"value":"\ud83d\ude00","key":"a"}"#,
        r#""params":{"value":"\ud83d","key":"a"}"#,
        r#""params":{"key":"a","value":}"#,
        r#""params":{"key":"a","value":1}}"#,
        r#""params":{"key":"a","value":1"#,
        r#""params":null"#,
        r#""params":[]"#,
        r#""jsonrpc":"2.0""#,
        r#""jsonrpc":"1.0""#,
        r#""parms":{}"#,
    ];
    let joint = prop::sample::select(vec![",", ", ", ",  ", ",\n", "}", ""]);
    let comma = prop_oneof![9 => Just(","), 1 => joint];
    vec((prop::sample::select(members.to_vec()), comma), 1..5).prop_map(|members| {
        let mut text = String::from("{");
        for (place, (member, comma)) in members.iter().enumerate() {
            text.push_str(if place == 0 { "" } else { comma });
            text.push_str(member);
        }
        text.push('}');
        text.into_bytes()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn what_is_read_quickly_is_read_the_same_carefully(frame in requests()) {
        if let Some(quickly) = read_quickly(&frame) {
            prop_assert_eq!(Some(quickly), read_carefully(&frame));
        }
    }
}
