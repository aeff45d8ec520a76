//! `callboard store`: what a person can find out about the files, and set right.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::harness::Home;

/// Runs a verb of `callboard store`; gives whether it succeeded and what it printed.
fn store(home: &Home, verb: &str) -> (bool, String, String) {
    let output = home.command(["store", verb, "--json"]).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn newest(home: &Home, kind: &str) -> PathBuf {
    let entries = fs::read_dir(home.path().join("store")).expect("a store");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        name.starts_with(kind) && name.ends_with(".jsonl")
    });
    paths.into_iter().max().expect("a file")
}

fn damage(path: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(path).expect("text");
    assert!(text.contains(old), "{text}");
    fs::write(path, text.replace(old, new)).expect("a file");
}

/// A home with a key in each of two snapshots and one in the journal.
fn home_with_history() -> Home {
    let home = Home::new();
    let daemon = home.start();
    let mut client = home.connect();
    for key in ["first", "second"] {
        client.call("kv.set", json!({"key": key, "value": format!("{key} value")}));
        client.call("server.snapshot", json!({}));
    }
    client.call("kv.set", json!({"key": "third", "value": "third value"}));
    daemon.stop();
    home
}

fn keys(home: &Home) -> Vec<String> {
    let _daemon = home.start();
    let entries = home.connect().call("kv.list", json!({}))["entries"].take();
    let entries = entries.as_array().expect("a list").iter();
    entries.map(|entry| entry["key"].as_str().expect("a key").to_owned()).collect()
}

#[test]
fn a_good_store_is_said_to_be_good_also_while_a_daemon_runs() {
    let home = home_with_history();
    let _daemon = home.start();
    let (is_good, printed, _) = store(&home, "check");
    assert!(is_good);
    let report: Value = serde_json::from_str(&printed).expect("JSON");
    assert_eq!(
        (&report["damage"], &report["torn"], &report["journal_changes"]),
        (&json!(null), &json!(null), &json!(1))
    );
    assert_eq!(report["files"].as_array().map(Vec::len), Some(3), "two snapshots and the revisions");
    let (is_done, _, told) = store(&home, "repair");
    assert!(
        !is_done && told.contains("a daemon runs here already") && told.contains("callboard down"),
        "{told}"
    );
}

#[test]
fn export_prints_every_entity_as_a_line_of_json() {
    let home = home_with_history();
    let (is_done, printed, _) = store(&home, "export");
    assert!(is_done);
    let lines = printed.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let keys: Vec<Value> = lines.map(|mut line| line["record"]["key"]["value"].take()).collect();
    for value in ["first value", "second value", "third value"] {
        assert!(keys.contains(&json!(value)), "{printed}");
    }
}

#[test]
fn a_damaged_snapshot_is_found_and_the_one_before_it_and_its_journal_take_its_place() {
    let home = home_with_history();
    let snapshot = newest(&home, "snapshot");
    damage(&snapshot, "second value", "second lie");
    let (is_good, _, told) = store(&home, "check");
    assert!(!is_good && told.contains("line ") && told.contains("callboard store repair"), "{told}");
    let (is_done, printed, _) = store(&home, "repair");
    assert!(is_done && printed.contains(".damaged"), "{printed}");
    assert!(
        fs::read_to_string(snapshot.with_extension("jsonl.damaged")).expect("kept").contains("second lie")
    );
    assert_eq!(keys(&home), ["first", "second", "third"], "nothing was lost");
}

#[test]
fn a_damaged_journal_is_cut_before_the_damage_and_the_rest_is_kept() {
    let home = home_with_history();
    damage(&newest(&home, "journal"), "third value", "third lie");
    assert!(home.start_in_vain().contains("callboard store repair"));
    let (is_done, printed, _) = store(&home, "repair");
    assert!(is_done && printed.contains(".torn"), "{printed}");
    assert_eq!(keys(&home), ["first", "second"]);
    assert!(store(&home, "repair").1.contains("[]"), "there is nothing left to repair");
}

#[test]
fn after_damaged_revisions_no_token_is_given_twice() {
    let home = home_with_history();
    let daemon = home.start();
    let mut client = home.connect_as("ada");
    let before = client.call("lock.acquire", json!({"keys": ["a"]}))["token"].as_u64();
    daemon.stop();
    damage(&newest(&home, "revisions"), "default", "defaulT");
    assert!(home.start_in_vain().contains("revisions.jsonl"));
    let (is_done, printed, _) = store(&home, "repair");
    assert!(is_done && printed.contains("revisions.jsonl.damaged"), "{printed}");
    let _daemon = home.start();
    let after = home.connect_as("ada").call("lock.acquire", json!({"keys": ["b"]}))["token"].as_u64();
    assert!(after > before && after < Some(1 << 53), "{after:?} after {before:?}");
}

#[test]
fn an_upgrade_loses_nothing_and_keeps_the_mode_and_the_sessions() {
    let home = Home::new().with("CALLBOARD_GRACE_MS", 60_000);
    let daemon = home.start();
    let (mut client, opened) = home.open(json!({"agent": "ada"}));
    let lock = client.call("lock.acquire", json!({"keys": ["a"], "bind": "session"}));
    client.call("kv.set", json!({"key": "a", "value": 1}));
    let output = home.command(["upgrade-daemon", "--json"]).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(daemon.wait().success());
    let upgraded: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let pid = upgraded["now"]["pid"].as_u64().expect("a pid");
    assert_ne!(upgraded["before"]["pid"].as_u64(), Some(pid));
    let (mut again, resumed) = home.open(json!({"resume": opened["resume_token"]}));
    assert_eq!((&resumed["resumed"], &resumed["instance_id"]), (&json!(true), &opened["instance_id"]));
    assert_eq!(resumed["durability"], "journal");
    assert_eq!(again.call("kv.get", json!({"key": "a"}))["value"], 1);
    assert_eq!(again.call("lock.release", json!({"token": lock["token"]})), json!({"released": 1}));
    again.call("server.shutdown", json!({}));
    again.drain();
}
