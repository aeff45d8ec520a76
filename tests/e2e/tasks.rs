//! Tasks over the wire: waiting claims, holders that die, a daemon that is started anew.

use serde_json::{Value, json};

use crate::harness::{Home, Raw};

const HOUR_MS: u64 = 3_600_000;

/// Creates a task; its id.
#[track_caller]
fn create(client: &mut Raw, task: Value) -> Value {
    client.call("task.create", task)["task"]["id"].take()
}

#[test]
fn a_claim_that_waits_gets_the_task_when_it_comes_and_its_end_answers_a_wait() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    let waiting = bob.start("task.claim", json!({"wait_ms": HOUR_MS, "tags": ["rust"]}));
    let id = create(&mut ada, json!({"title": "build", "tags": ["rust"], "payload": {"n": 1.0}}));
    let claimed = bob.result(waiting);
    assert_eq!((&claimed["task"]["id"], &claimed["task"]["assignee"]), (&id, &json!("bob")));
    let end = ada.start("task.wait", json!({"ids": [id], "timeout_ms": HOUR_MS}));
    bob.call("task.complete", json!({"token": claimed["token"], "result": [1.0]}));
    let ended = ada.result(end);
    assert_eq!(
        (&ended["tasks"][0]["status"], &ended["tasks"][0]["result"]),
        (&json!("completed"), &json!([1.0]))
    );
    assert_eq!(ada.call("server.stats", json!({}))["tasks"]["completed"], 1);
}

#[test]
fn a_task_whose_holder_closes_goes_to_the_next_one_with_its_checkpoint() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    let id = create(&mut ada, json!({"title": "long", "backoff_ms": 0}));
    let token = bob.call("task.claim", json!({}))["token"].take();
    bob.call("task.extend", json!({"token": token, "checkpoint": {"line": 7}}));
    bob.call("session.close", json!({}));
    let claimed = ada.call("task.claim", json!({"wait_ms": HOUR_MS}));
    assert_eq!((&claimed["task"]["id"], &claimed["task"]["attempts"]), (&id, &json!(2)));
    assert_eq!(claimed["task"]["checkpoint"], json!({"line": 7}));
}

#[test]
fn tasks_outlive_their_daemon() {
    let home = Home::new();
    let daemon = home.start();
    let mut ada = home.connect_as("ada");
    let tasks =
        json!({"tasks": [{"ref": "a", "title": "a", "payload": null}, {"title": "b", "depends_on": ["a"]}]});
    let created = ada.call("task.create_many", tasks);
    let a = created["tasks"][0]["id"].clone();
    let token = ada.call("task.claim", json!({"bind": "agent"}))["token"].take();
    let _daemon = home.stop_and_start(daemon);
    let mut again = home.connect_as("ada");
    let counts = again.call("task.counts", json!({}));
    assert_eq!((&counts["in_progress"], &counts["blocked"]), (&json!(1), &json!(1)), "{counts}");
    assert_eq!(again.call("task.claim", json!({"id": a}))["token"], token);
    again.call("task.complete", json!({"token": token}));
    assert_eq!(again.call("task.claim", json!({}))["task"]["title"], "b");
}

#[test]
fn a_vote_asks_by_message_and_a_limiter_has_others_wait() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    let open =
        json!({"question": "ship?", "options": ["yes", "no"], "voters": ["bob"], "deadline_ms": HOUR_MS});
    let id = ada.call("vote.open", open)["id"].take();
    let request = bob.call("message.receive", json!({"wait_ms": HOUR_MS}))["messages"][0].take();
    assert_eq!((&request["type"], &request["payload"]["vote"]), (&json!("vote_request"), &id));
    bob.call("vote.cast", json!({"id": id, "choice": "yes"}));
    let result = ada.call("message.receive", json!({"wait_ms": HOUR_MS}))["messages"][0].take();
    assert_eq!((&result["type"], &result["payload"]["winner"]), (&json!("vote_result"), &json!("yes")));

    let take = json!({"name": "api", "rate": 1, "per_ms": 50, "wait_ms": HOUR_MS});
    assert_eq!(ada.call("limiter.take", take.clone())["allowed"], true);
    assert_eq!(bob.call("limiter.take", take)["allowed"], true);
}
