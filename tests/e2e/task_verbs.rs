//! `callboard task` as scripts use it: ids and tokens that can be passed on, exit codes to branch on.

use serde_json::{Value, json};

use crate::harness::{Home, Ran};

/// A home whose command line acts for ada.
fn home_of_ada() -> Home {
    Home::in_memory().with("CALLBOARD_AGENT", "ada").with("CALLBOARD_NAMESPACE", "work")
}

/// Claims the task that comes first; its token.
#[track_caller]
fn claim(home: &Home) -> String {
    home.run(["task", "claim", "--json"]).json()["token"].to_string()
}

#[track_caller]
fn status(home: &Home, id: &str) -> Value {
    home.run(["task", "show", id, "--json"]).json()["task"]["status"].take()
}

#[test]
fn a_task_is_added_claimed_reported_on_and_done() {
    let home = home_of_ada();
    let _daemon = home.start();
    let id = home.run([
        "task",
        "add",
        "port the parser",
        "--description",
        "all of it",
        "--payload",
        r#"{"n": 1.0}"#,
        "--priority",
        "high",
        "--tag",
        "rust",
        "--tag",
        "parser",
        "--max-attempts",
        "5",
        "--backoff",
        "0",
    ]);
    let id = id.text();
    let shown = home.run(["task", "claim", "--tag", "rust", "--lease", "10m"]).text();
    for line in [
        "title     port the parser",
        "tags      parser, rust",
        "attempts  1 of 5",
        "payload:",
        r#"{"n": 1.0}"#,
    ] {
        assert!(shown.lines().any(|told| told == line), "{line}: {shown}");
    }
    let again = home.run(["task", "claim", &id, "--json"]).json();
    assert_eq!((&again["task"]["assignee"], &again["task"]["payload"]["n"]), (&json!("ada"), &json!(1.0)));
    let token = again["token"].to_string();
    let extend =
        ["task", "extend", &token, "--progress", "0.5", "--note", "half", "--checkpoint", "[7]", "--json"];
    let extended = home.run(extend).json();
    assert_eq!(extended["task"]["progress"], 0.5);
    assert_eq!((&extended["task"]["note"], &extended["task"]["checkpoint"]), (&json!("half"), &json!([7])));
    let done = home.run_with_input(["task", "done", &token, "--text", "-", "--json"], "as it was\n").json();
    assert_eq!(
        (&done["task"]["status"], &done["task"]["result"]),
        (&json!("completed"), &json!("as it was"))
    );
    assert!(home.run(["task", "show", &id]).text().ends_with("result:\nas it was"));
    assert_eq!(home.run(["task", "show", &id, "--result"]).text(), "as it was");
    assert_eq!(home.run(["task", "show", &id, "--result", "--json"]).json(), "as it was");
    let late = home.run(["task", "done", &token, "--result", "1", "--json"]).with_code(5);
    assert_eq!(late.error_kind(), "stale_token");
}

#[test]
fn scripts_see_by_the_exit_code_why_there_is_nothing_to_do() {
    let home = home_of_ada();
    let _daemon = home.start();
    assert!(home.run(["task", "claim"]).with_code(3).stdout.is_empty());
    assert_eq!(
        home.run(["task", "claim", "--wait", "20ms", "--json"]).with_code(3).object(),
        json!({"task": null})
    );
    assert_eq!(home.run(["task", "next", "--json"]).with_code(4).object()["task"], json!(null));
    let open = home.run(["task", "add", "open", "--role", "nobody"]).text();
    let none = home.run(["task", "show", &open, "--result"]).with_code(4);
    assert!(none.stderr.contains("it is pending") && none.stdout.is_empty(), "{none:?}");
    assert!(home.run(["task", "show", "99"]).with_code(4).stderr.contains("next: callboard task list"));
    assert_eq!(
        home.run(["task", "add", "a", "--after", "99", "--json"]).with_code(4).error_kind(),
        "unknown_dependency"
    );
    home.run(["task", "review", "1"]).with_code(2);
    home.run(["task", "update", "1"]).with_code(2);
    home.run(["task", "add", "a", "--payload", "{"]).with_code(2);
    home.run(["task", "add", "a", "--backoff", "5"]).with_code(2);
    let first = home.run(["task", "add", "first"]).text();
    let second = home.run(["task", "add", "second", "--after", &first]).text();
    assert_eq!(home.run(["task", "claim", &second, "--json"]).with_code(5).error_kind(), "not_ready");
    assert!(home.run(["task", "next"]).text().contains("first"));
    home.run(["task", "claim", &first]).text();
    assert_eq!(
        home.run(["task", "claim", &first, "-a", "bob", "--json"]).with_code(5).error_kind(),
        "not_owner"
    );
}

#[test]
fn attempts_that_fail_are_repeated_given_up_and_started_anew() {
    let home = home_of_ada();
    let _daemon = home.start();
    let id = home.run(["task", "add", "build", "--backoff", "0", "--dedupe-key", "b"]).text();
    let twice = home.run(["task", "add", "build", "--dedupe-key", "b"]);
    assert!(twice.stderr.contains("before"), "{twice:?}");
    assert_eq!(twice.text(), id);
    home.run(["task", "fail", &claim(&home), "no compiler"]).text();
    assert_eq!(status(&home, &id), "pending");
    home.run(["task", "release", &claim(&home), "--reason", "not my field"]).text();
    assert!(home.run(["task", "show", &id]).text().contains("not my field"));
    let given_up = home.run(["task", "fail", &claim(&home), "no machine", "--final"]).text();
    assert!(
        given_up.starts_with("attempt failed: ") && given_up.ends_with("(failed, for good)"),
        "{given_up}"
    );
    home.run(["task", "retry", &id]).text();
    assert_eq!(status(&home, &id), "pending");
    home.run(["task", "cancel", &id]).text();
    assert_eq!(home.run(["task", "counts", "--json"]).json()["cancelled"], 1);
    home.run(["task", "done", "1"]).with_code(5);
}

#[test]
fn somebody_else_reviews_and_anybody_updates() {
    let home = home_of_ada();
    let _daemon = home.start();
    let id = home.run(["task", "add", "write", "--review", "--tag", "docs", "--description", "long"]).text();
    home.run(["task", "done", &claim(&home)]).text();
    home.run(["task", "review", &id, "--approve"]).with_code(1);
    home.run(["task", "review", &id, "--reject", "--comments", "too short", "-a", "bob"]).text();
    let shown = home.run(["task", "show", &id]).text();
    assert!(shown.contains("status    pending") && shown.ends_with("comments:\ntoo short"), "{shown}");
    let update =
        ["task", "update", &id, "--no-tags", "--no-description", "--priority", "urgent", "--note", "soon"];
    home.run(update).text();
    let task = home.run(["task", "show", &id, "--json"]).json()["task"].take();
    assert_eq!((&task["tags"], &task["description"]), (&json!([]), &json!(null)));
    assert_eq!((&task["priority"], &task["note"]), (&json!("urgent"), &json!("soon")));
    home.run(["task", "done", &claim(&home)]).text();
    assert!(home.run(["task", "review", &id, "--approve", "-a", "bob"]).text().ends_with("(completed, ada)"));
}

#[test]
fn a_list_has_all_pages_and_keeps_its_columns() {
    let home = home_of_ada();
    let _daemon = home.start();
    let (mut client, _) = home.open(json!({"namespace": "work", "agent": "ada"}));
    let drafts: Vec<Value> = (0..1000).map(|number| json!({"title": format!("t{number}")})).collect();
    client.call("task.create_many", json!({"tasks": drafts}));
    home.run(["task", "add", "last", "--tag", "rust", "--role", "tester"]).text();
    let parent = home.run(["task", "add", "whole"]).text();
    home.run(["task", "add", "part", "--parent", &parent, "--delay", "1h"]).text();
    claim(&home);
    let all = home.run(["task", "list"]).text();
    assert_eq!(all.lines().count(), 1 + 1003, "{}", &all[..200]);
    let columns = |line: &str| (line.find("STATUS"), line.find("TITLE"));
    let title = columns(all.lines().next().expect("a header")).1.expect("a title");
    assert!(
        all.lines().skip(1).all(|line| line.as_bytes()[title - 1] == b' ' && line.as_bytes()[title] != b' ')
    );
    let titles = |ran: Ran| -> Vec<Value> {
        let pages = ran.with_code(0).stdout;
        let pages = pages.lines().map(|page| serde_json::from_str::<Value>(page).expect("a page"));
        pages
            .flat_map(|page| page["tasks"].as_array().expect("tasks").clone())
            .map(|task| task["title"].clone())
            .collect()
    };
    assert_eq!(titles(home.run(["task", "list", "--json"])).len(), 1003);
    assert_eq!(
        titles(home.run(["task", "list", "--status", "in_progress,delayed", "--json"])),
        ["t0", "part"]
    );
    assert_eq!(titles(home.run(["task", "list", "--tag", "rust", "--role", "tester", "--json"])), ["last"]);
    assert_eq!(titles(home.run(["task", "list", "--assignee", "ada", "--json"])), ["t0"]);
    assert_eq!(titles(home.run(["task", "list", "--parent", &parent, "--json"])), ["part"]);
    let page = home.run(["task", "list", "--limit", "2"]);
    assert!(page.stderr.contains("more: --cursor ") && page.stdout.lines().count() == 3, "{page:?}");
    home.run(["task", "list", "--limit", "2", "--status", "pending,failed"]).with_code(2);
    assert!(home.run(["task", "show", &parent]).text().ends_with("parts: 1 delayed"));
}

#[test]
fn a_wait_ends_with_the_outcome_of_the_work() {
    let home = home_of_ada();
    let _daemon = home.start();
    let (good, bad) = (home.run(["task", "add", "good"]).text(), home.run(["task", "add", "bad"]).text());
    home.run(["task", "wait", &good, "--timeout", "20ms"]).with_code(3);
    home.run(["task", "wait", "99"]).with_code(4);
    home.run(["task", "done", &claim(&home)]).text();
    home.run(["task", "wait", &good, &bad, "--all", "--timeout", "20ms"]).with_code(3);
    assert!(home.run(["task", "wait", &good, &bad, "--any"]).text().contains("completed"));
    home.run(["task", "cancel", &bad]).text();
    let both = home.run(["task", "wait", &good, &bad, "--json"]).with_code(1).object();
    assert_eq!(both["tasks"].as_array().map(Vec::len), Some(2));
}
