//! The generated schema, the file in the repository, the types and PROTOCOL.md say the same.

#![cfg(test)]

use std::path::PathBuf;

use callboard_protocol::methods::{Command, Method};
use callboard_protocol::schema::protocol_schema;
use callboard_protocol::{ErrorKind, limits};
use serde_json::{Value, json};

/// What writes the schema anew, from the top of the repository.
const REGENERATE: &str = "cargo run -p callboard-protocol --example schema > protocol.schema.json";

fn read(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// FNV-1a, 64 bits: enough to notice a change.
fn checksum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

fn names(document: &Value, member: &str) -> Vec<String> {
    document[member].as_object().expect("an object").keys().cloned().collect()
}

/// The members of a method's parameters and of its result.
fn members(document: &Value, method: &Value) -> Vec<String> {
    let shapes = ["params", "result"].map(|side| match method[side]["$ref"].as_str() {
        Some(reference) => &document["$defs"][reference.trim_start_matches("#/$defs/")],
        None => &method[side],
    });
    let members = shapes.iter().filter_map(|shape| shape["properties"].as_object());
    members.flat_map(|members| members.keys().cloned()).collect()
}

fn decode(method: Method, params: &Value) -> Result<Command, callboard_protocol::Error> {
    Command::decode(method, Some(&params.to_string()), limits::Limits::default().value_bytes)
}

#[test]
fn the_file_is_what_the_types_give() {
    let kept: Value = serde_json::from_str(&read("protocol.schema.json")).unwrap_or_default();
    assert!(kept == protocol_schema(), "protocol.schema.json is stale; run: {REGENERATE}");
}

#[test]
fn the_protocol_document_moves_with_the_types() {
    let mark = format!("<!-- schema: {:016x} -->", checksum(read("protocol.schema.json").as_bytes()));
    assert!(
        read("PROTOCOL.md").contains(&mark),
        "protocol.schema.json has changed: bring PROTOCOL.md in line with it, then put this line into it: {mark}"
    );
}

#[test]
fn the_protocol_document_names_everything() {
    let text = read("PROTOCOL.md");
    let schema = protocol_schema();
    let mut missing = Vec::new();
    for member in ["methods", "events", "errors", "limits"] {
        let absent = names(&schema, member).into_iter().filter(|name| !text.contains(&format!("`{name}")));
        missing.extend(absent.map(|name| format!("{member}: `{name}`")));
    }
    for (method, shapes) in schema["methods"].as_object().expect("an object") {
        let described = text.split(&format!("**`{method}`**")).nth(1).unwrap_or_default();
        let section = described.split("\n**`").next().unwrap_or_default();
        let absent = members(&schema, shapes).into_iter().filter(|name| !section.contains(name.as_str()));
        missing.extend(absent.map(|name| format!("{method}: {name}")));
    }
    assert!(missing.is_empty(), "PROTOCOL.md does not name:\n  {}", missing.join("\n  "));
}

#[test]
fn parameters_are_closed_and_required_as_the_daemon_reads_them() {
    let schema = protocol_schema();
    for method in Method::ALL.iter().copied() {
        let params = &schema["methods"][method.name()]["params"];
        assert_eq!(params["additionalProperties"], json!(false), "{}", method.name());
        let unknown = decode(method, &json!({ "no_such_member": 1 })).unwrap_err();
        assert_eq!(unknown.kind, ErrorKind::InvalidParams, "{}", method.name());

        let required = params["required"].as_array().map_or(0, Vec::len);
        assert_eq!(decode(method, &json!({})).is_ok(), required == 0, "{}", method.name());
        for member in params["required"].as_array().into_iter().flatten() {
            assert!(params["properties"].get(member.as_str().unwrap()).is_some(), "{member}");
        }
    }
}

#[test]
fn shared_definitions_have_names_of_their_own() {
    for name in names(&protocol_schema(), "$defs") {
        let numbered = name.ends_with(|last: char| last.is_ascii_digit());
        assert!(!numbered, "two types are called {name} but for the number: give one #[schemars(rename)]");
    }
}

#[test]
fn null_is_a_value_only_where_the_protocol_says_so() {
    let schema = protocol_schema();
    let set = &schema["methods"]["kv.set"]["params"];
    assert_eq!(set["required"], json!(["key", "value"]));
    assert!(set["properties"]["value"].get("type").is_none(), "any JSON, null too");
    let expire = &schema["methods"]["kv.expire"]["params"];
    assert_eq!(expire["required"], json!(["key", "ttl_ms"]));
    assert_eq!(expire["properties"]["ttl_ms"]["type"], json!(["integer", "null"]));
    let acquired = &schema["methods"]["lock.acquire"]["result"];
    assert!(acquired["required"].as_array().unwrap().contains(&json!("expires_at")), "{acquired}");
    assert_eq!(acquired["properties"]["expires_at"]["type"], json!(["integer", "null"]));
}
