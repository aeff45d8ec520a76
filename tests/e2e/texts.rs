//! What JSON may be sent, and that it comes back as it was written.

use serde_json::{Value, json};

use crate::harness::{Framing, Home, Raw, deeply};

/// A request that stores `value`, as text: what it says is not always JSON.
fn set(id: u64, value: &str) -> String {
    format!(r#"{{"id":{id},"method":"kv.set","params":{{"key":"k","value":{value}}}}}"#)
}

/// Stores a value and reads it again, as text.
#[track_caller]
fn kept(client: &mut Raw, value: &str) -> String {
    client.send(&set(1, value));
    client.result(1);
    client.send(r#"{"id":2,"method":"kv.get","params":{"key":"k"}}"#);
    let frame = client.frame().expect("a reply");
    let (_, after) = frame.split_once(r#""value":"#).expect("a value");
    let (value, _) = after.rsplit_once(r#","revision":"#).expect("a revision");
    value.to_owned()
}

#[test]
fn values_are_kept_as_they_were_written() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    let long_number = format!("-{}.{}e-300", "1234567890".repeat(20), "0987654321".repeat(20));
    for value in [
        r#"{"b":1,"a":2,"b":3}"#,
        "1.0",
        "-0",
        "1E+2",
        "0.10",
        "12345678901234567890123",
        &long_number,
        "1e-999",
        r#""\u00e9\/\ud83d\ude00 \u0000""#,
        "\"caf\u{e9} \u{1f600} \u{2028}\"",
        r#"[ 1 ,	2 ]"#,
        "null",
        "\"\"",
    ] {
        assert_eq!(kept(&mut client, value), value);
    }
}

#[test]
fn line_breaks_between_tokens_become_spaces() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect_with(Framing::Lengths);
    let value = "{\r\n  \"a\": [1,\n2],\r\"b\": \"\\r\\n\"\n}";
    assert_eq!(kept(&mut client, value), r#"{    "a": [1, 2], "b": "\r\n" }"#);
    // A break within a line is no frame end when it is a lone CR.
    let mut lines = home.connect();
    assert_eq!(kept(&mut lines, "[1,\r2]"), "[1, 2]");
}

#[test]
fn a_raw_line_break_within_a_string_is_malformed() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect_with(Framing::Lengths);
    for value in ["\"a\nb\"", "\"a\rb\"", "\"a\tb\"", "\"a\u{1}b\""] {
        client.send(&set(7, value));
        let reply = client.next_reply();
        assert_eq!(reply["error"]["data"]["kind"], "parse_error", "{reply}");
    }
    assert_eq!(client.call("kv.get", json!({"key": "k"})), json!({"exists": false}));
}

#[test]
fn what_some_agent_could_not_read_is_refused_with_the_id() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    let depth = deeply(65);
    let mixed = format!("{}1{}", r#"{"a":["#.repeat(33), "]}".repeat(33));
    for value in [r#""\ud800""#, r#""\udc00\ud800""#, r#"{"\udfff":1}"#, "1e999", "[-1e309]", &depth, &mixed]
    {
        client.send(&set(9, value));
        client.failure("parse_error", 9);
    }
    for (id, value) in [(10, &deeply(64)), (11, &"1e308".to_owned()), (12, &"1e-400".to_owned())] {
        client.send(&set(id, value));
        client.result(id);
    }
}

#[test]
fn invalid_utf8_is_refused_with_the_id_and_the_place() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    for bad in [&b"\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"] {
        let frame = set(3, "\"?\"");
        let (before, after) = frame.split_once('?').expect("a mark");
        client.write([before.as_bytes(), bad, after.as_bytes(), b"\n"].concat());
        let data = client.failure("parse_error", 3);
        assert_eq!(data["offset"], before.len());
    }
    client.call("server.ping", json!({}));
}

#[test]
fn a_payload_is_as_deep_as_a_value_wherever_it_stands() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect_as("ada");
    let nested = |levels| serde_json::from_str::<Value>(&deeply(levels)).expect("JSON");
    let transaction = |levels| json!({"if": [], "then": [{"set": {"key": "k", "value": nested(levels)}}]});
    assert_eq!(client.call("kv.txn", transaction(64))["succeeded"], true);
    client.refused("parse_error", "kv.txn", transaction(65));
    let publish = |levels| json!({"topic": "t", "payload": nested(levels)});
    client.call("topic.publish", publish(64));
    client.refused("parse_error", "topic.publish", publish(65));
}

#[test]
fn a_whole_frame_has_its_own_depth() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    // The envelope is one level, so is `params`: what is unknown in there is judged after the depth.
    let frame = |levels: usize| {
        format!(r#"{{"id":5,"method":"server.ping","params":{{"x":{}}}}}"#, deeply(levels - 2))
    };
    client.send(&frame(80));
    assert_eq!(client.failure("invalid_params", 5)["member"], "x");
    client.send(&frame(81));
    client.failure("parse_error", 5);
    // Deep enough to end a parser that recurses.
    client.send(&frame(500_000));
    let reply = client.next_reply();
    assert_eq!(reply["error"]["data"]["kind"], "parse_error");
    client.call("server.ping", json!({}));
}
