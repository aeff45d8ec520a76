//! What was acknowledged is there after the daemon died, in the modes that promise it.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{Home, Raw, wait_for};

/// The files of a store whose names begin so.
fn files(home: &Home, kind: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.path().join("store")).expect("a store");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let is_wanted =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(kind));
    let mut paths: Vec<PathBuf> = paths.filter(is_wanted).collect();
    paths.sort();
    paths
}

fn value(client: &mut Raw, key: &str) -> Value {
    client.call("kv.get", json!({"key": key}))["value"].take()
}

fn instance_id(home: &Home) -> Value {
    home.connect().call("server.info", json!({}))["instance_id"].take()
}

#[test]
fn a_crash_of_the_daemon_loses_nothing_in_journal_and_sync_mode() {
    for mode in ["journal", "sync"] {
        let home = Home::new().with("CALLBOARD_DURABILITY", mode);
        let daemon = home.start();
        let first = instance_id(&home);
        let (mut ada, opened) = home.open(json!({"agent": "ada"}));
        assert_eq!(opened["durability"], mode);
        let bound = ada.call("lock.acquire", json!({"keys": ["src/**"], "bind": "session"}));
        ada.call("kv.set", json!({"key": "gone", "value": 1}));
        ada.call("kv.delete", json!({"key": "gone"}));
        ada.call("kv.set", json!({"key": "a", "value": {"b": [1.0, null]}}));
        let sent = ada.call("message.send", json!({"to": "bob", "payload": "hello"}));
        let mut bob = home.connect_as("bob");
        let taken = bob.call("message.receive", json!({"bind": "agent"}))["messages"][0].take();
        ada.call("message.send", json!({"to": "bob", "payload": "again"}));

        let daemon = home.crash_and_start(daemon);
        assert_eq!(instance_id(&home), first, "nothing was lost");
        let (mut ada, resumed) = home.open(json!({"resume": opened["resume_token"]}));
        assert_eq!(resumed["resumed"], true);
        assert_eq!(value(&mut ada, "a"), json!({"b": [1.0, null]}));
        assert_eq!(ada.call("kv.get", json!({"key": "gone"})), json!({"exists": false}));
        assert_eq!(ada.call("lock.release", json!({"token": bound["token"]})), json!({"released": 1}));
        let mut bob = home.connect_as("bob");
        let acked = bob.call("message.ack", json!({"receipts": [taken["receipt"]]}));
        assert_eq!(acked["acked"], json!([taken["receipt"]]), "the receipt of before counts");
        assert_eq!(bob.call("message.receive", json!({}))["messages"][0]["payload"], "again");
        let status = ada.call("message.status", json!({"id": sent["id"]}));
        assert_eq!(status["recipients"][0]["state"], "acked");
        drop(daemon);
    }
}

#[test]
fn the_default_is_the_journal_and_a_clean_stop_ends_it_with_a_mark() {
    let home = Home::new();
    let daemon = home.start();
    let (mut client, opened) = home.open(json!({"agent": "ada"}));
    assert_eq!(opened["durability"], "journal");
    client.call("kv.set", json!({"key": "a", "value": 1}));
    daemon.stop();
    let journal = files(&home, "journal");
    let text = fs::read_to_string(journal.last().expect("a journal")).expect("text");
    assert!(text.lines().last().is_some_and(|line| line.contains("\"synced\":")), "{text}");
    for line in text.lines().filter(|line| !line.is_empty()) {
        serde_json::from_str::<Value>(line).expect("JSON");
    }
}

#[test]
fn a_journal_that_grew_is_replaced_by_a_snapshot_and_old_segments_go() {
    let home = Home::new().with("CALLBOARD_JOURNAL_BYTES", 20_000);
    let daemon = home.start();
    let mut client = home.connect();
    for round in 1..=4 {
        // More than the journal may hold, and more than the snapshot before it.
        for number in 0..200 {
            client.call(
                "kv.set",
                json!({"key": format!("{}", number % 50), "value": [round, "x".repeat(200)]}),
            );
        }
        wait_for("a snapshot", || {
            let store = client.call("server.stats", json!({}))["store"].take();
            (store["snapshots"].as_u64() >= Some(round)).then_some(())
        });
    }
    // The next one may be under way already: for a moment, it and both before it are there.
    wait_for("old files to go", || {
        (files(&home, "snapshot").len() == 2 && files(&home, "journal").len() <= 3).then_some(())
    });
    let _daemon = home.crash_and_start(daemon);
    let mut again = home.connect();
    for number in 0..50 {
        assert_eq!(value(&mut again, &number.to_string())[0], 4);
    }
}

#[test]
fn damage_before_the_mark_stops_the_start_and_a_torn_end_does_not() {
    let home = Home::new();
    let daemon = home.start();
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "a", "value": "precious"}));
    client.call("kv.set", json!({"key": "b", "value": 1}));
    daemon.stop();
    let journal = files(&home, "journal").pop().expect("a journal");
    let whole = fs::read_to_string(&journal).expect("text");
    fs::write(&journal, whole.replace("precious", "worthless")).expect("a file");
    let log = home.start_in_vain();
    assert!(log.contains("line 2 (byte ") && log.contains("callboard store repair"), "{log}");

    fs::write(&journal, format!("{whole}{{\"c\":\"0000")).expect("a file");
    let _daemon = home.start();
    let mut client = home.connect();
    assert_eq!((value(&mut client, "a"), value(&mut client, "b")), (json!("precious"), json!(1)));
    let kept =
        files(&home, "journal").into_iter().find(|path| path.extension().is_some_and(|end| end == "torn"));
    assert_eq!(fs::read_to_string(kept.expect("what was cut off")).expect("text"), "{\"c\":\"0000");
    assert!(home.read_log().contains("never fsynced"));
}
