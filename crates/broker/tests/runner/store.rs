//! What a store would hold: the last record of each entity, as JSON.

use std::collections::BTreeMap;

use callboard_broker::Record;
use serde_json::Value;

/// The entities by kind and id.
#[derive(Debug, Default)]
pub struct Store {
    entities: BTreeMap<(String, String), Value>,
}

impl Store {
    /// Takes a change record.
    pub fn apply(&mut self, record: &Record) {
        let text = serde_json::to_string(record).unwrap();
        let Value::Object(members) = serde_json::from_str(&text).unwrap() else {
            panic!("a record is an object with one member: {text}");
        };
        for (name, entity) in members {
            match name.strip_suffix("_ended") {
                Some(kind) => {
                    let id = entity.as_str().map_or_else(|| entity.to_string(), str::to_owned);
                    self.entities.remove(&(kind.to_owned(), id));
                }
                None => {
                    let id = entity_id(&name, &entity);
                    self.entities.insert((name, id), entity);
                }
            }
        }
    }

    /// The entity, if it is stored.
    pub fn find(&self, kind: &str, id: &str) -> Option<&Value> {
        self.entities.get(&(kind.to_owned(), id.to_owned()))
    }
}

fn entity_id(kind: &str, entity: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match kind {
        "key" => text(&entity["key"]),
        "agent" => text(&entity["name"]),
        "leaving" => text(&entity["agent"]),
        "lock" => text(&entity["lease"]["token"]),
        "delivery" => format!("{}:{}", entity["message"], text(&entity["agent"])),
        "task_state" => text(&entity["task"]),
        "ballot" => format!("{}:{}", entity["vote"], text(&entity["voter"])),
        "limiter" => text(&entity["name"]),
        "session" | "message" | "task" | "vote" => text(&entity["id"]),
        other => other.to_owned(),
    }
}
