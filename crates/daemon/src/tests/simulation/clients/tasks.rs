//! What clients ask for about tasks.

use callboard_protocol::methods::BoardCommand;
use serde_json::{Value, json};

use super::{Client, params, with_some};
use crate::simulation::model::State;
use crate::simulation::random::Random;

const TAG: &str = "fast";

/// Some command about tasks.
pub fn task_command(random: &mut Random, client: &Client, state: &State) -> BoardCommand {
    let held = state.tokens_of(&client.agent);
    if !held.is_empty() && random.chance(550) {
        let token = *random.pick(&held);
        return holder_command(random, token);
    }
    let ids = state.latest_tasks(24);
    if ids.is_empty() {
        return create(random, state);
    }
    let id = *random.pick(&ids);
    match random.below(40) {
        0..8 => create(random, state),
        8..11 => create_many(random, state),
        11..25 => claim(random, state),
        25 | 26 => BoardCommand::TaskGet(params(&json!({"id": id}))),
        27..30 => wait(random, &ids),
        30..34 => review(random, state, id),
        34 => BoardCommand::TaskCancel(params(&json!({"id": id}))),
        35 | 36 => {
            let failed = state.failed_tasks();
            let id = if failed.is_empty() { id } else { *random.pick(&failed) };
            BoardCommand::TaskRetry(params(&json!({"id": id})))
        }
        37 => {
            let priority = *random.pick(&["urgent", "high", "normal", "low"]);
            BoardCommand::TaskUpdate(params(&json!({"id": id, "priority": priority, "note": "n"})))
        }
        _ => {
            let tokens = state.all_tokens();
            let token = if tokens.is_empty() { id } else { *random.pick(&tokens) };
            holder_command(random, token)
        }
    }
}

fn holder_command(random: &mut Random, token: u64) -> BoardCommand {
    let json = json!({"token": token});
    match random.below(12) {
        0..5 => {
            let number = random.below(1000);
            BoardCommand::TaskComplete(params(&with_some(random, json, 700, "result", json!(number))))
        }
        5..7 => {
            let is_retryable = random.chance(800);
            let mut json = with_some(random, json, 500, "retryable", json!(is_retryable));
            json["error"] = json!("broken");
            BoardCommand::TaskFail(params(&json))
        }
        7 | 8 => BoardCommand::TaskRelease(params(&json)),
        _ => {
            let (lease_ms, number) = (random.ms(60_000), random.below(1000));
            let json = with_some(random, json, 500, "lease_ms", json!(lease_ms));
            BoardCommand::TaskExtend(params(&with_some(random, json, 600, "checkpoint", json!([number]))))
        }
    }
}

fn draft(random: &mut Random) -> Value {
    let mut json =
        json!({"title": "t", "max_attempts": 1 + random.below(4), "backoff_ms": random.ms(20_000)});
    let delay_ms = random.ms(30_000);
    json = with_some(random, json, 200, "delay_ms", json!(delay_ms));
    let priority = *random.pick(&["urgent", "high", "normal", "low"]);
    json = with_some(random, json, 300, "priority", json!(priority));
    json = with_some(random, json, 250, "review", json!(true));
    json = with_some(random, json, 300, "on_dependency_failure", json!("run"));
    with_some(random, json, 300, "tags", json!([TAG]))
}

fn create(random: &mut Random, state: &State) -> BoardCommand {
    let ids = state.latest_tasks(8);
    let mut json = draft(random);
    if !ids.is_empty() && random.chance(500) {
        json["depends_on"] = json!([*random.pick(&ids), *random.pick(&ids)]);
    }
    if !ids.is_empty() && random.chance(200) {
        json["parent"] = json!(*random.pick(&ids));
    }
    if random.chance(250) {
        json["dedupe_key"] = json!(format!("key-{}", random.below(2)));
    }
    BoardCommand::TaskCreate(params(&json))
}

fn create_many(random: &mut Random, state: &State) -> BoardCommand {
    let ids = state.latest_tasks(8);
    let count = 2 + random.below(3);
    let is_cyclic = random.chance(150);
    let drafts: Vec<Value> = (0..count)
        .map(|place| {
            let mut json = draft(random);
            json["ref"] = json!(format!("r{place}"));
            let mut depends_on = Vec::new();
            // Only what comes behind it in the call: there is no cycle unless one is made.
            if place + 1 < count && random.chance(600) {
                depends_on.push(json!(format!("r{}", place + 1 + random.below(count - place - 1))));
            }
            if is_cyclic && place + 1 == count {
                depends_on.push(json!("r0"));
            }
            if !ids.is_empty() && random.chance(200) {
                depends_on.push(json!(*random.pick(&ids)));
            }
            json["depends_on"] = json!(depends_on);
            json
        })
        .collect();
    BoardCommand::TaskCreateMany(params(&json!({"tasks": drafts})))
}

fn claim(random: &mut Random, state: &State) -> BoardCommand {
    let mut json = json!({"lease_ms": random.ms(60_000)});
    let ids = state.latest_tasks(24);
    if random.chance(250) {
        json["id"] = json!(*random.pick(&ids));
    } else if random.chance(250) {
        json["tags"] = json!([TAG]);
    }
    let wait_ms = random.ms(30_000);
    json = with_some(random, json, 500, "wait_ms", json!(wait_ms));
    BoardCommand::TaskClaim(params(&with_some(random, json, 600, "bind", json!("agent"))))
}

fn review(random: &mut Random, state: &State, id: u64) -> BoardCommand {
    let waiting = state.tasks_in_review();
    let id = if waiting.is_empty() { id } else { *random.pick(&waiting) };
    BoardCommand::TaskReview(params(&json!({"id": id, "approve": random.chance(600)})))
}

fn wait(random: &mut Random, ids: &[u64]) -> BoardCommand {
    let ids: Vec<u64> = (0..1 + random.below(3)).map(|_| *random.pick(ids)).collect();
    let json = json!({"ids": ids, "timeout_ms": random.ms(60_000)});
    BoardCommand::TaskWait(params(&with_some(random, json, 500, "mode", json!("any"))))
}
