//! The whole protocol as one JSON document with a JSON Schema of each shape that crosses the socket.
//!
//! Invariant: it is made of the types alone, so it can't say anything else than they do; what only the broker decides
//! (a limit, two members that exclude each other) is in the descriptions. Parameters are as the daemon reads them,
//! results and events as it writes them. Lacks a validator.

use std::collections::BTreeMap;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::error::ErrorKind;
use crate::limits::Limits;
use crate::version::PROTOCOL;
use crate::{event, methods};

/// Where the definitions that are used more than once stand.
const DEFINITIONS: &str = "$defs";

/// The document: `envelope`, `methods` (each with `params` and `result`), `events`, `errors` (each with its `code`),
/// `limits` (each with its `default`), and the definitions that several of them share.
#[must_use]
pub fn protocol_schema() -> Value {
    // Parameters stand whole in their place, so that one can be handed on alone.
    let mut read =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true).into_generator();
    let mut written = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let methods = methods(&mut read, &mut written);
    let events: Map<String, Value> = event::schemas(&mut written)
        .into_iter()
        .map(|(kind, members)| (kind.to_owned(), members.to_value()))
        .collect();
    let mut definitions = Value::Object(written.take_definitions(true));
    open_objects(&mut definitions);
    let mut document = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Callboard wire protocol",
        "description": "Params: an unknown member is an error; null counts as absent unless it is said to be a value. \
            Results and events: members that are not listed here are to be ignored. PROTOCOL.md says what it all means.",
        "protocol": PROTOCOL,
        "envelope": envelope(),
        "methods": methods,
        "events": events,
        "errors": errors(&mut read),
        "limits": limits(&mut read),
        DEFINITIONS: definitions,
    });
    settle_single_uses(&mut document);
    document
}

fn methods(read: &mut SchemaGenerator, written: &mut SchemaGenerator) -> Map<String, Value> {
    let params = methods::schemas(read).into_iter();
    let results = methods::schemas(written).into_iter();
    params
        .zip(results)
        .map(|((name, params, _), (_, _, result))| {
            (name.to_owned(), json!({ "params": params, "result": result }))
        })
        .collect()
}

fn envelope() -> Value {
    let version = json!({ "const": "2.0" });
    let id = json!({ "type": ["integer", "string"] });
    let error = json!({
        "type": "object",
        "required": ["code", "message", "data"],
        "properties": {
            "code": { "type": "integer", "description": "Kinds may share one." },
            "message": { "type": "string", "description": "For people: what failed, and what to do next." },
            "data": {
                "type": "object",
                "required": ["kind"],
                "properties": { "kind": { "type": "string", "description": "What programs branch on: one of `errors`." } },
            },
        },
    });
    json!({
        "request": {
            "description": "Without `id` it is a notification, which is not answered.",
            "type": "object",
            "required": ["method"],
            "additionalProperties": false,
            "properties": {
                "jsonrpc": version,
                "id": id,
                "method": { "type": "string", "description": "One of `methods`." },
                "params": { "type": ["object", "null"] },
            },
        },
        "reply": {
            "description": "Has `result` or `error`. `id` is null when the daemon could not tell it.",
            "type": "object",
            "required": ["jsonrpc", "id"],
            "oneOf": [{ "required": ["result"] }, { "required": ["error"] }],
            "properties": {
                "jsonrpc": version,
                "id": { "type": ["integer", "string", "null"] },
                "result": { "type": "object" },
                "error": error,
            },
        },
        "event": {
            "type": "object",
            "required": ["jsonrpc", "method", "params"],
            "properties": {
                "jsonrpc": version,
                "method": { "const": "event" },
                "params": {
                    "description": "The members of its kind (see `events`) stand beside these.",
                    "type": "object",
                    "required": ["subscription", "seq", "kind"],
                    "properties": {
                        "subscription": { "type": "integer", "minimum": 0, "description": "0: of no subscription." },
                        "seq": { "type": "integer", "minimum": 1 },
                        "kind": { "type": "string" },
                    },
                },
            },
        },
    })
}

fn errors(generator: &mut SchemaGenerator) -> Map<String, Value> {
    let kinds = generator.subschema_for::<ErrorKind>().to_value();
    let described = kinds["oneOf"].as_array().cloned().unwrap_or_default();
    ErrorKind::ALL
        .iter()
        .map(|kind| {
            let name = kind.name();
            let found = described.iter().find(|known| known["const"] == name);
            let description = found.map_or(Value::Null, |known| known["description"].clone());
            (name.to_owned(), json!({ "code": kind.code(), "description": description }))
        })
        .collect()
}

fn limits(generator: &mut SchemaGenerator) -> Value {
    let mut schema = generator.subschema_for::<Limits>().to_value();
    schema["properties"].take()
}

/// What the daemon writes may grow: a client passes over what it does not know.
fn open_objects(schema: &mut Value) {
    each_object(schema, &mut |members| {
        members.remove("additionalProperties");
    });
}

/// Puts each definition that is used once where it is used, so that only what is shared has to be looked up.
fn settle_single_uses(document: &mut Value) {
    loop {
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        each_object(document, &mut |members| {
            if let Some(Value::String(reference)) = members.get("$ref") {
                *used.entry(reference.clone()).or_default() += 1;
            }
        });
        let Some(definitions) = document[DEFINITIONS].as_object_mut() else { return };
        let is_shared = |name: &str| used.get(&reference(name)).is_some_and(|count| *count > 1);
        let single = definitions.keys().find(|name| !is_shared(name)).cloned();
        let Some((name, definition)) = single.and_then(|name| definitions.remove_entry(&name)) else {
            return;
        };
        each_object(document, &mut |members| replace_reference(members, &reference(&name), &definition));
    }
}

fn reference(name: &str) -> String {
    format!("#/{DEFINITIONS}/{name}")
}

/// What stands beside a reference (a member's own description) goes before the definition's.
fn replace_reference(members: &mut Map<String, Value>, reference: &str, definition: &Value) {
    if members.get("$ref").and_then(Value::as_str) != Some(reference) {
        return;
    }
    members.remove("$ref");
    for (name, member) in definition.as_object().into_iter().flatten() {
        members.entry(name.clone()).or_insert_with(|| member.clone());
    }
}

/// Shows `visit` each object in `value`, an outer one before those in it.
fn each_object(value: &mut Value, visit: &mut dyn FnMut(&mut Map<String, Value>)) {
    match value {
        Value::Object(members) => {
            visit(members);
            members.values_mut().for_each(|member| each_object(member, visit));
        }
        Value::Array(elements) => elements.iter_mut().for_each(|element| each_object(element, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
