//! `callboard agent` as scripts use it: what an agent says of itself, and what a lock that it took by name guards.

use serde_json::{Value, json};

use crate::harness::Home;

fn home_of_ada() -> Home {
    Home::in_memory().with("CALLBOARD_AGENT", "ada").with("CALLBOARD_NAMESPACE", "work")
}

/// What the board says of ada.
fn ada(home: &Home) -> Value {
    home.run(["agent", "show", "ada", "--json"]).json()["agent"].clone()
}

#[test]
fn an_agent_says_what_it_is_doing_and_takes_it_back() {
    let home = home_of_ada();
    let _daemon = home.start();
    let say =
        ["agent", "update", "--status", "working", "--task", "12", "--progress", "3/5", "--note", "lexer"];
    assert_eq!(home.run(say).text(), "updated");
    let said = |ada: &Value| json!([ada["live"], ada["status"], ada["task"], ada["progress"], ada["note"]]);
    assert_eq!(said(&ada(&home)), json!([true, "working", 12, "3/5", "lexer"]));

    home.run(["agent", "update"]).text();
    assert_eq!(
        said(&ada(&home)),
        json!([true, "working", 12, "3/5", "lexer"]),
        "a sign of life says no more"
    );

    home.run(["agent", "update", "--status", "idle", "--task", "", "--progress", "", "--note", ""]).text();
    assert_eq!(said(&ada(&home)), json!([true, "idle", null, null, null]));
    home.run(["agent", "update", "--status", "asleep"]).with_code(2);
}

#[test]
fn a_lock_taken_by_name_guards_a_key() {
    let home = home_of_ada();
    let _daemon = home.start();
    let lock = home.run(["lock", "acquire", "--name", "leader:release", "--json"]).json();
    let condition = format!("leader:release={}", lock["token"]);
    let set = ["kv", "set", "plan", "tag", "--if-lock", &condition];
    home.run(set).with_code(5);
    let [kv, set, key, value, if_lock, condition] = set;
    home.run([kv, set, key, value, if_lock, condition, "--name"]).text();
    home.run(["lock", "release", "--name", "leader:release"]).text();
    home.run([kv, set, key, "again", if_lock, condition, "--name"]).with_code(5);
    assert_eq!(home.run(["kv", "get", "plan"]).text(), "tag");
}
