//! The envelope: what is a request, what is none, and whom the error names.

use serde_json::{Value, json};

use crate::harness::Home;

#[test]
fn what_is_no_request_is_told_with_its_id_where_it_has_one() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    let cases = [
        (r#"{"id":null,"method":"server.ping"}"#, json!(null)),
        (r#"{"id":1.5,"method":"server.ping"}"#, json!(null)),
        (r#"{"id":true,"method":"server.ping"}"#, json!(null)),
        (r#"{"id":{},"method":"server.ping"}"#, json!(null)),
        (r#"{"id":7,"id":7,"method":"server.ping"}"#, json!(null)),
        (r#"{"id":7,"jsonrpc":"1.0","method":"server.ping"}"#, json!(7)),
        (r#"{"id":7,"jsonrpc":2.0,"method":"server.ping"}"#, json!(7)),
        (r#"{"id":"a","method":"server.ping","extra":1}"#, json!("a")),
        (r#"{"id":7,"method":"server.ping","method":"server.ping"}"#, json!(7)),
        (r#"{"id":7,"method":"server.ping","params":[]}"#, json!(7)),
        (r#"{"id":7,"method":"server.ping","params":"x"}"#, json!(7)),
        (r#"{"id":7,"method":"server.ping","params":1}"#, json!(7)),
        (r#"{"id":7,"method":5}"#, json!(7)),
        (r#"{"id":7}"#, json!(7)),
        (r#"{"jsonrpc":"2.0"}"#, json!(null)),
    ];
    for (request, id) in cases {
        client.send(request);
        let reply = client.next_reply();
        assert_eq!(reply["error"]["data"]["kind"], "invalid_request", "{request}: {reply}");
        assert_eq!(reply["error"]["code"], -32600);
        assert_eq!(reply["id"], id, "{request}: {reply}");
    }
}

#[test]
fn batches_and_other_values_are_no_requests() {
    let home = Home::in_memory();
    let _daemon = home.start();
    // On a line a first `[` would choose no framing, so a request goes before.
    let mut client = home.connect();
    client.call("server.ping", json!({}));
    for text in [r#"[{"id":1,"method":"server.ping"}]"#, "[]", "1", "\"x\"", "null"] {
        client.send(text);
        client.next_failure("invalid_request");
    }
    client.call("server.ping", json!({}));
}

#[test]
fn the_sender_may_leave_out_what_the_daemon_never_does() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    for request in [
        r#"{"id":1,"method":"server.ping"}"#,
        r#"{"params":null,"method":"server.ping","id":1,"jsonrpc":"2.0"}"#,
        r#" { "id" : 1 , "method" : "server.\u0070ing" , "params" : { } } "#,
    ] {
        client.send(request);
        assert_eq!(client.frame().as_deref(), Some(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    }
}

#[test]
fn ids_are_integers_or_strings_and_come_back_as_they_were() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    for id in ["0", "-1", "9007199254740991", r#""""#, r#""a b""#, "\"\u{e9}\""] {
        client.send(&format!(r#"{{"id":{id},"method":"server.ping"}}"#));
        let frame = client.frame().expect("a reply");
        assert_eq!(frame, format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{{}}}}"#));
    }
}

#[test]
fn an_unknown_method_is_told() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    for method in ["server.pong", "", "event", "SERVER.PING"] {
        let id = client.start(method, json!({}));
        assert_eq!(client.reply(id)["error"]["code"], -32601);
    }
}

#[test]
fn wrong_members_of_params_are_named() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect_as("ada");
    let cases = [
        ("kv.set", r#"{"key":"a","value":1,"tll_ms":5}"#, "tll_ms"),
        ("kv.set", r#"{"key":"a","value":1,"value":2}"#, "value"),
        ("kv.set", r#"{"key":"a"}"#, "value"),
        ("kv.set", r#"{"key":7,"value":1}"#, "key"),
        ("kv.set", r#"{"key":"a","value":1,"ttl_ms":0}"#, "ttl_ms"),
        ("kv.set", r#"{"key":"a","value":1,"ttl_ms":1.0}"#, "ttl_ms"),
        ("kv.set", r#"{"key":"a","value":1,"ttl_ms":1e3}"#, "ttl_ms"),
        ("kv.set", r#"{"key":"","value":1}"#, "key"),
        ("kv.set", r#"{"key":"a\u0007","value":1}"#, "key"),
        ("lock.acquire", r#"{"keys":[]}"#, "keys"),
        ("lock.acquire", r#"{"keys":["a"],"mode":"both"}"#, "mode"),
        ("lock.acquire", r#"{"keys":["a"],"wait_ms":86400001}"#, "wait_ms"),
        ("session.cancel", "{}", "id"),
        ("server.ping", r#"{"x":1}"#, "x"),
    ];
    for (method, params, member) in cases {
        client.send(&format!(r#"{{"id":1,"method":"{method}","params":{params}}}"#));
        let reply = client.reply(1);
        let error = &reply["error"];
        assert_eq!(error["data"]["kind"], "invalid_params", "{method} {params}: {reply}");
        assert_eq!(error["data"]["member"], member, "{method} {params}: {reply}");
        let message = error["message"].as_str().expect("a message");
        assert!(message.contains(member), "{message}");
    }
}

#[test]
fn an_explicit_null_is_a_value_where_one_is_asked_for_and_absent_elsewhere() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "a", "value": null, "ttl_ms": null, "if_lock": null}));
    let got = client.call("kv.get", json!({"key": "a"}));
    assert_eq!((&got["exists"], &got["value"]), (&json!(true), &Value::Null));
    client.refused("invalid_params", "kv.get", json!({"key": null}));
}

#[test]
fn notifications_are_carried_out_and_never_answered() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect_as("ada");
    client.notify("kv.set", json!({"key": "a", "value": 1}));
    client.notify("kv.set", json!({"key": "a"}));
    client.notify("no.such", json!({}));
    client.notify("server.ping", json!({}));
    client.send(r#"{"id":"next","method":"kv.get","params":{"key":"a"}}"#);
    let reply = client.next_reply();
    assert_eq!((&reply["id"], &reply["result"]["value"]), (&json!("next"), &json!(1)), "{reply}");
}

#[test]
fn a_notification_that_would_grant_something_is_ignored() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect_as("ada");
    client.notify("lock.acquire", json!({"keys": ["a"]}));
    client.notify("lock.acquire", json!({"keys": ["b"], "wait_ms": 60_000}));
    let locks = client.call("lock.list", json!({}));
    assert_eq!((&locks["locks"], &locks["waiters"]), (&json!([]), &json!([])));
}

#[test]
fn every_error_has_code_message_and_kind() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    for (method, params, code) in [
        ("session.unsubscribe", json!({"subscription": 5}), -32001),
        ("lock.acquire", json!({"keys": ["a"]}), -32007),
        ("server.snapshot", json!({}), -32015),
    ] {
        let id = client.start(method, params);
        let reply = client.reply(id);
        let error = &reply["error"];
        assert_eq!(error["code"], code, "{reply}");
        assert!(error["data"]["kind"].is_string() && !error["message"].as_str().unwrap_or("").is_empty());
        assert!(reply.get("result").is_none());
    }
}
