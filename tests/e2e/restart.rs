//! What the next daemon of a home finds: after a clean stop, after a crash, and with nothing on disk.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Home, wait_for};

fn instance_id(home: &Home) -> Value {
    home.connect().call("server.info", json!({}))["instance_id"].take()
}

#[track_caller]
fn is_between(value: &Value, min: u64, max: u64) {
    let number = value.as_u64().unwrap_or_else(|| panic!("a number, not {value}"));
    assert!((min..=max).contains(&number), "{number} is not between {min} and {max}");
}

#[test]
fn a_clean_stop_loses_nothing() {
    let home = Home::new();
    let daemon = home.start();
    let (mut client, _) = home.open(json!({"agent": "ada", "namespace": "n"}));
    client.call("agent.register", json!({"role": "tester", "metadata": {"a": 1.0}}));
    client.call("kv.set", json!({"key": "plain", "value": {"b": 1, "a": [null, "\u{e9}"]}}));
    client.call("kv.set", json!({"key": "timed", "value": 1, "ttl_ms": 3_600_000}));
    let plain = client.call("kv.get", json!({"key": "plain"}));
    let shared = json!({"keys": ["src/**", "a b"], "mode": "shared", "reason": "reading"});
    let held = client.call("lock.acquire", shared);
    let locks = client.call("lock.list", json!({}))["locks"].take();
    let _daemon = home.stop_and_start(daemon);

    let (mut again, _) = home.open(json!({"agent": "ada", "namespace": "n"}));
    assert_eq!(again.call("kv.get", json!({"key": "plain"})), plain);
    is_between(&again.call("kv.get", json!({"key": "timed"}))["ttl_ms"], 3_540_000, 3_599_999);
    let mut after = again.call("lock.list", json!({}))["locks"].take();
    let (before, now) = (locks[0]["expires_at"].as_u64(), after[0]["expires_at"].take().as_u64());
    let drift = before.expect("an end").abs_diff(now.expect("an end"));
    assert!(drift < 1000, "the end moved by {drift} ms");
    after[0]["expires_at"] = locks[0]["expires_at"].clone();
    assert_eq!(after, locks);
    let agent = again.call("agent.get", json!({"name": "ada"}))["agent"].take();
    assert_eq!((&agent["role"], &agent["metadata"]["a"]), (&json!("tester"), &json!(1.0)));
    assert_eq!(again.call("lock.release", json!({"token": held["token"]})), json!({"released": 1}));
}

#[test]
fn time_passes_for_keys_while_the_daemon_is_down_and_leases_get_a_while() {
    let home = Home::new();
    let daemon = home.start();
    let mut client = home.connect_as("ada");
    client.call("kv.set", json!({"key": "short", "value": 1, "ttl_ms": 150}));
    client.call("lock.acquire", json!({"keys": ["a"], "ttl_ms": 150}));
    let deadline = std::time::Instant::now() + std::time::Duration::from_millis(150);
    daemon.stop();
    wait_for("the TTLs are over", || (std::time::Instant::now() > deadline).then_some(()));
    let _daemon = home.start();
    let mut again = home.connect_as("ada");
    assert_eq!(again.call("kv.get", json!({"key": "short"})), json!({"exists": false}));
    let lock = again.call("lock.list", json!({}))["locks"][0].take();
    let now_ms = std::time::UNIX_EPOCH.elapsed().expect("a clock").as_millis();
    let left_ms = u128::from(lock["expires_at"].as_u64().expect("an end")).saturating_sub(now_ms);
    assert!((3000..=5100).contains(&left_ms), "{left_ms} ms are left");
    again.call("lock.extend", json!({"token": lock["token"], "ttl_ms": 60_000}));
}

#[test]
fn a_clean_stop_keeps_the_instance_and_a_crash_does_not() {
    let home = Home::in_snapshot_mode();
    let daemon = home.start();
    home.connect().call("kv.set", json!({"key": "a", "value": 1}));
    let first = instance_id(&home);
    let daemon = home.stop_and_start(daemon);
    assert_eq!(instance_id(&home), first);
    let daemon = home.crash_and_start(daemon);
    let second = instance_id(&home);
    assert_ne!(second, first);
    let _daemon = home.stop_and_start(daemon);
    assert_eq!(instance_id(&home), second);
}

#[test]
fn a_daemon_that_changed_nothing_keeps_the_instance_too() {
    let home = Home::new();
    let daemon = home.start();
    let first = instance_id(&home);
    let _daemon = home.stop_and_start(daemon);
    assert_eq!(instance_id(&home), first);
}

#[test]
fn memory_forgets_everything_and_says_so() {
    let home = Home::in_memory();
    let daemon = home.start();
    let mut client = home.connect_as("ada");
    client.call("kv.set", json!({"key": "a", "value": 1}));
    client.call("lock.acquire", json!({"keys": ["a"]}));
    client.refused("storage_failed", "server.snapshot", json!({}));
    let store = client.call("server.stats", json!({}))["store"].clone();
    let counters = store.as_object().unwrap();
    assert!(counters.contains_key("records") && counters.values().all(|counter| *counter == 0), "{store}");
    assert_eq!(client.call("server.info", json!({}))["durability"], "memory");
    let first = instance_id(&home);
    let _daemon = home.stop_and_start(daemon);
    assert_ne!(instance_id(&home), first);
    let mut again = home.connect();
    assert_eq!(again.call("kv.get", json!({"key": "a"})), json!({"exists": false}));
    assert_eq!(again.call("lock.list", json!({}))["locks"], json!([]));
    assert!(!home.path().join("store").exists(), "memory writes nothing");
}

#[test]
fn a_crash_takes_back_what_came_after_the_last_snapshot() {
    let home = Home::in_snapshot_mode();
    let daemon = home.start();
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "kept", "value": 1}));
    let written = client.call("server.snapshot", json!({}));
    assert!(Path::new(written["path"].as_str().expect("a path")).exists());
    assert!(written["bytes"].as_u64().is_some_and(|bytes| bytes > 0));
    let revision = client.call("kv.set", json!({"key": "lost", "value": 2}))["revision"].take();
    let _daemon = home.crash_and_start(daemon);
    let mut again = home.connect();
    assert_eq!(again.call("kv.get", json!({"key": "kept"}))["value"], 1);
    assert_eq!(again.call("kv.get", json!({"key": "lost"})), json!({"exists": false}));
    let next = again.call("kv.set", json!({"key": "lost", "value": 3}))["revision"].take();
    assert!(next.as_u64() > revision.as_u64(), "{next} after {revision}");
}

#[test]
fn snapshots_are_written_now_and_then_while_something_changes() {
    let home = Home::in_snapshot_mode().with("CALLBOARD_SNAPSHOT_INTERVAL_MS", 100);
    let daemon = home.start();
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "a", "value": 1}));
    let snapshots = |client: &mut crate::harness::Raw| client.call("server.stats", json!({}))["store"].take();
    wait_for("a snapshot", || (snapshots(&mut client)["unsaved_changes"] == 0).then_some(()));
    assert_eq!(snapshots(&mut client)["snapshots"], 1);
    let _daemon = home.crash_and_start(daemon);
    assert_eq!(home.connect().call("kv.get", json!({"key": "a"}))["value"], 1);
}

/// Takes a lock, and gives its token.
fn fresh_token(home: &Home) -> u64 {
    let mut client = home.connect_as("ada");
    let token = client.call("lock.acquire", json!({"keys": ["t"]}))["token"].as_u64();
    client.call("lock.release", json!({"keys": ["t"]}));
    token.expect("a token")
}

#[test]
fn fencing_tokens_only_rise_whatever_happens() {
    let home = Home::new();
    let mut daemon = home.start();
    let mut last = fresh_token(&home);
    home.connect().call("server.snapshot", json!({}));
    let old = snapshot_files(&home);
    for step in 0..6 {
        let token = fresh_token(&home);
        assert!(token > last && token < 1 << 53, "step {step}: {token} after {last}");
        last = token;
        daemon = match step {
            0 => home.stop_and_start(daemon),
            1 => home.crash_and_start(daemon),
            2 => {
                daemon.kill();
                restore(&home, &old);
                home.start()
            }
            3 => {
                home.connect().call("namespace.clear", json!({"namespace": "default"}));
                daemon
            }
            4 => {
                home.connect().call("namespace.clear", json!({"namespace": "default"}));
                home.stop_and_start(daemon)
            }
            _ => daemon,
        };
    }
}

/// The snapshots of a home, by name.
fn snapshot_files(home: &Home) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(home.path().join("store")).expect("a store");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let names = names.map(|name| name.into_string().expect("a name"));
    names
        .filter(|name| name.starts_with("snapshot"))
        .map(|name| (name.clone(), fs::read(home.path().join("store").join(&name)).expect("a file")))
        .collect()
}

/// Puts old snapshots in the place of all that are there.
fn restore(home: &Home, files: &[(String, Vec<u8>)]) {
    let store = home.path().join("store");
    assert!(!files.is_empty());
    for (name, _) in snapshot_files(home) {
        fs::remove_file(store.join(name)).expect("a file");
    }
    for (name, content) in files {
        fs::write(store.join(name), content).expect("a file");
    }
}

#[test]
fn the_last_two_snapshots_are_kept_and_can_be_read_as_lines_of_json() {
    let home = Home::new();
    let _daemon = home.start();
    let mut client = home.connect();
    for value in 0..4 {
        client.call("kv.set", json!({"key": "a", "value": value}));
        client.call("server.snapshot", json!({}));
    }
    let files = snapshot_files(&home);
    assert_eq!(files.len(), 2, "{:?}", files.iter().map(|(name, _)| name).collect::<Vec<_>>());
    for (name, content) in files {
        let text = String::from_utf8(content).expect("text");
        for line in text.lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
        }
    }
}

#[test]
fn a_damaged_snapshot_stops_the_start_and_nothing_is_deleted() {
    let home = Home::in_snapshot_mode();
    let daemon = home.start();
    home.connect().call("kv.set", json!({"key": "precious", "value": "beyond price"}));
    daemon.stop();
    let files = snapshot_files(&home);
    let damaged: Vec<_> = files
        .iter()
        .map(|(name, content)| (name.clone(), content.replace_first(b"beyond", b"beyonc")))
        .collect();
    restore(&home, &damaged);
    let log = home.start_in_vain();
    assert!(log.contains(&files[0].0) && log.contains("line"), "{log}");
    assert_eq!(snapshot_files(&home), damaged);
    restore(&home, &files);
    let _daemon = home.start();
    assert_eq!(home.connect().call("kv.get", json!({"key": "precious"}))["value"], "beyond price");
}

trait ReplaceFirst {
    fn replace_first(&self, old: &[u8], new: &[u8]) -> Vec<u8>;
}

impl ReplaceFirst for Vec<u8> {
    fn replace_first(&self, old: &[u8], new: &[u8]) -> Vec<u8> {
        let at = self.windows(old.len()).position(|window| window == old);
        let at = at.expect("what is to be replaced");
        [&self[..at], new, &self[at + old.len()..]].concat()
    }
}
