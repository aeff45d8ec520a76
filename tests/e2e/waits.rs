//! `callboard waits`: who waits for whom, as people and programs see it.

use serde_json::{Value, json};

use crate::harness::{Home, Raw, wait_for};

const HOUR_MS: u64 = 3_600_000;

#[track_caller]
fn waits<const N: usize>(home: &Home, options: [&str; N]) -> String {
    let mut command = home.command(["--namespace", "default", "waits"]);
    let output = command.args(options).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[track_caller]
fn found(home: &Home) -> Value {
    serde_json::from_str(&waits(home, ["--json"])).expect("JSON")
}

/// Has `client` wait for a lock that somebody else has.
#[track_caller]
fn wait_for_lock(client: &mut Raw, watcher: &mut Raw, key: &str) {
    client.start("lock.acquire", json!({"keys": [key], "wait_ms": HOUR_MS}));
    wait_for("the waiter", || {
        let waiters = watcher.call("lock.list", json!({}))["waiters"].take();
        waiters.as_array().expect("a list").iter().any(|waiter| waiter["keys"] == json!([key])).then_some(())
    });
}

/// What an edge says, without how long it lasts.
fn edges(found: &Value) -> Vec<String> {
    let edges = found["edges"].as_array().expect("a list").iter();
    let said =
        edges.map(|edge| format!("{} {} {} {}", edge["from"], edge["why"], edge["to"], edge["in_cycle"]));
    said.map(|edge| edge.replace('"', "")).collect()
}

#[test]
fn a_chain_of_locks_is_no_cycle() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob, mut eve) =
        (home.connect_as("ada"), home.connect_as("bob"), home.connect_as("eve"));
    let mut watcher = home.connect();
    eve.call("lock.acquire", json!({"keys": ["docs"]}));
    bob.call("lock.acquire", json!({"keys": ["src/**"]}));
    wait_for_lock(&mut bob, &mut watcher, "docs");
    wait_for_lock(&mut ada, &mut watcher, "src/a.rs");
    let found = found(&home);
    assert_eq!(edges(&found), ["agent:bob lock agent:eve false", "agent:ada lock agent:bob false"]);
    assert_eq!(found["cycles"], json!([]));
    let text = waits(&home, []);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert_eq!(lines[0], "ada");
    assert!(lines[1].starts_with("-> bob  lock src/a.rs, for "), "{text}");
    assert!(lines[2].starts_with("   -> eve  lock docs, for "), "{text}");
}

/// bob holds a lock and a task, ada a part of that task and waits for the lock; eve's task depends on the part.
fn with_a_mixed_cycle(test: impl FnOnce(&Home, [u64; 3])) {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    let mut watcher = home.connect();
    let tasks = json!({"tasks": [
        {"ref": "whole", "title": "whole"},
        {"ref": "part", "title": "a \"part\" <of> it", "parent": "whole"},
        {"title": "after", "depends_on": ["part"]},
    ]});
    let created = bob.call("task.create_many", tasks)["tasks"].take();
    let ids = [0, 1, 2].map(|at: usize| created[at]["id"].as_u64().expect("an id"));
    bob.call("task.claim", json!({"id": ids[0]}));
    ada.call("task.claim", json!({"id": ids[1]}));
    bob.call("lock.acquire", json!({"keys": ["src"]}));
    wait_for_lock(&mut ada, &mut watcher, "src");
    test(&home, ids);
}

#[test]
fn a_cycle_through_a_lock_and_a_task_is_marked() {
    with_a_mixed_cycle(|home, [_, part, after]| {
        let found = found(home);
        let mut edges = edges(&found);
        edges.sort();
        let expected = [
            "agent:ada lock agent:bob true".to_owned(),
            format!("agent:bob part task:{part} true"),
            format!("task:{part} held agent:ada true"),
            format!("task:{after} dependency task:{part} false"),
        ];
        assert_eq!(edges, expected);
        assert_eq!(found["cycles"], json!([["agent:ada", "agent:bob", format!("task:{part}"), "agent:ada"]]));
        let text = waits(home, []);
        assert!(
            text.contains(&format!(
                "~> task {part} (a \"part\" <of> it, in_progress) (see above)  part of task"
            )),
            "{text}"
        );
        let cycle = format!("cycle: ada -> bob -> task {part} -> ada (if the dashed arrows are right)");
        assert_eq!(text.lines().last(), Some(cycle.as_str()), "{text}");
    });
}

#[test]
fn a_cycle_is_red_in_dot_and_mermaid() {
    with_a_mixed_cycle(|home, [_, part, _]| {
        let dot = waits(home, ["--format", "dot"]);
        assert!(dot.starts_with("digraph {") && dot.ends_with("}\n"), "{dot}");
        assert_eq!(dot.matches("color=red, ").count(), 3, "{dot}");
        assert!(
            dot.contains(&format!(r#"[label="task {part} (a \"part\" <of> it, in_progress)", shape=box]"#)),
            "{dot}"
        );
        let mermaid = waits(home, ["--format", "mermaid"]);
        assert!(
            mermaid.starts_with("flowchart LR\n") && mermaid.contains("a #34;part#34; #60;of#62; it"),
            "{mermaid}"
        );
        assert_eq!(mermaid.lines().last().map(|line| line.matches(',').count()), Some(3), "{mermaid}");
    });
}

#[test]
fn a_task_that_waits_for_one_that_nobody_has_is_shown() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let tasks = json!({"tasks": [{"ref": "a", "title": "first"}, {"title": "second", "depends_on": ["a"]}]});
    home.connect().call("task.create_many", tasks);
    let text = waits(&home, []);
    assert!(
        text.contains("(second, blocked)\n-> task ") && text.contains("(first, pending)  depends on it"),
        "{text}"
    );
}

#[test]
fn requests_show_to_whoever_asked_or_was_asked() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut ada, mut bob) = (home.connect_as("ada"), home.connect_as("bob"));
    ada.start("message.request", json!({"to": "bob", "payload": "well?", "timeout_ms": HOUR_MS}));
    let question =
        bob.call("message.receive", json!({"wait_ms": HOUR_MS, "bind": "agent"}))["messages"][0].take();
    for agent in ["ada", "bob"] {
        let text = waits(&home, ["--agent", agent]);
        assert!(text.starts_with("ada\n~> bob  request "), "{text}");
    }
    assert_eq!(waits(&home, []), "");
    bob.call("message.reply", json!({"to_message": question["id"], "payload": "yes"}));
    assert_eq!(waits(&home, ["--agent", "ada"]), "");
}
