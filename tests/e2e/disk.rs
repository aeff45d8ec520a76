//! A disk that is full: nothing is lost, and it goes on when there is room again.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Daemon, Home, Raw, callboard, wait_for};

/// A home on a file system of 2 MiB that only its daemon sees, so that it goes with the process. `None`, with the reason
/// printed, where this user may not mount anything.
fn start_on_small_disk(home: &Home) -> Option<Daemon> {
    let probe = ["--mount", "--map-root-user", "mount", "-t", "tmpfs", "tmpfs", "/tmp"];
    let may_mount = Command::new("unshare").args(probe).output();
    if let Err(reason) = may_mount.map_err(|error| error.to_string()).and_then(|output| {
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        output.status.success().then_some(()).ok_or(told)
    }) {
        eprintln!("SKIPPED: no file system can be mounted here to fill it up: {reason}");
        return None;
    }
    fs::create_dir_all(home.path()).expect("a home");
    let mut command = Command::new("unshare");
    let mount = "mount -t tmpfs -o size=2m,mode=0700 tmpfs \"$CALLBOARD_HOME\" && exec \"$0\" daemon";
    home.equip(command.args(["--mount", "--map-root-user", "sh", "-c", mount]).arg(callboard()));
    Some(home.wait_until_ready(Daemon::spawn(&mut command)))
}

/// A home whose socket lies outside of it, because what is mounted is seen by the daemon alone.
fn home() -> Home {
    let home = Home::in_snapshot_mode().with("CALLBOARD_SNAPSHOT_INTERVAL_MS", 3_600_000);
    let socket = home.folder().join("s").display().to_string();
    home.with("CALLBOARD_SOCKET", socket)
}

/// The store as the daemon sees it.
fn store(home: &Home, daemon: &Daemon) -> PathBuf {
    let root = PathBuf::from(format!("/proc/{}/root", daemon.pid()));
    root.join(home.path().strip_prefix("/").expect("an absolute path")).join("store")
}

/// Writes until nothing more fits.
fn fill(path: &std::path::Path) {
    let mut file = fs::File::create(path).expect("a file");
    while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
}

fn value(client: &mut Raw, key: &str) -> Value {
    client.call("kv.get", json!({"key": key}))["value"].take()
}

#[test]
fn a_full_disk_costs_nothing_but_the_snapshot() {
    let home = home();
    let Some(daemon) = start_on_small_disk(&home) else {
        return;
    };
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "before", "value": 1}));
    client.call("server.snapshot", json!({}));
    let store = store(&home, &daemon);
    let ballast = store.join("ballast");
    fill(&ballast);
    let listed = |store: &PathBuf| {
        let names = fs::read_dir(store).expect("a store").map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.collect();
        names.sort();
        names
    };
    let files = listed(&store);

    client.call("kv.set", json!({"key": "during", "value": "x".repeat(100_000)}));
    let data = client.refused("storage_failed", "server.snapshot", json!({}));
    assert_eq!(data["applied"], false);
    assert_eq!(listed(&store), files, "a failed snapshot leaves the files as they were");
    assert_eq!(value(&mut client, "before"), 1);
    assert_eq!(client.call("server.stats", json!({}))["store"]["failures"], 1);

    fs::remove_file(&ballast).expect("the ballast");
    let written = client.call("server.snapshot", json!({}));
    assert!(written["bytes"].as_u64().is_some_and(|bytes| bytes > 100_000), "{written}");
    assert_eq!(value(&mut client, "during").as_str().map(str::len), Some(100_000));
}

#[test]
fn a_stop_that_can_store_nothing_says_so() {
    let home = home();
    let Some(daemon) = start_on_small_disk(&home) else {
        return;
    };
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "a", "value": 1}));
    fill(&store(&home, &daemon).join("ballast"));
    client.call("server.shutdown", json!({}));
    client.drain();
    assert!(!daemon.wait().success());
    let log = home.read_log();
    assert!(log.contains("No space left") && log.contains("snapshot"), "{log}");
}

#[test]
fn a_namespace_that_can_reserve_no_revisions_changes_nothing() {
    let home = home();
    let Some(daemon) = start_on_small_disk(&home) else {
        return;
    };
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "a", "value": 1}));
    let ballast = store(&home, &daemon).join("ballast");
    fill(&ballast);
    let (mut fresh, _) = home.open(json!({"namespace": "fresh"}));
    let data = fresh.refused("storage_failed", "kv.set", json!({"key": "a", "value": 1}));
    assert_eq!(data["applied"], false);
    client.call("kv.set", json!({"key": "a", "value": 2}));
    fs::remove_file(&ballast).expect("the ballast");
    assert_eq!(fresh.call("kv.get", json!({"key": "a"})), json!({"exists": false}));
    fresh.call("kv.set", json!({"key": "a", "value": 1}));
}

/// As [`home`], in the default mode.
fn home_with_journal() -> Home {
    let home = Home::new();
    let socket = home.folder().join("s").display().to_string();
    home.with("CALLBOARD_SOCKET", socket)
}

#[test]
fn a_change_that_could_not_be_stored_is_told_and_no_other_is_made_until_there_is_room() {
    let home = home_with_journal();
    let Some(daemon) = start_on_small_disk(&home) else {
        return;
    };
    let mut client = home.connect_as("ada");
    client.call("kv.set", json!({"key": "before", "value": 1}));
    let ballast = store(&home, &daemon).join("ballast");
    fill(&ballast);
    // One batch: the changes of it are told as what they are, the reads as ever.
    let big = client.start("kv.set", json!({"key": "big", "value": "x".repeat(100_000)}));
    let read = client.start("kv.get", json!({"key": "before"}));
    let data = client.failure("storage_failed", big);
    assert_eq!(data["applied"], true);
    assert_eq!(client.result(read)["value"], 1);
    assert_eq!(value(&mut client, "big").as_str().map(str::len), Some(100_000), "it is in memory");
    for (method, params) in [
        ("kv.set", json!({"key": "before", "value": 2})),
        ("lock.acquire", json!({"keys": ["a"]})),
        ("message.send", json!({"to": "bob", "payload": 1})),
    ] {
        assert_eq!(client.refused("storage_failed", method, params)["applied"], false, "{method}");
    }
    assert_eq!(value(&mut client, "before"), 1);
    assert_eq!(client.call("lock.list", json!({}))["locks"], json!([]));
    assert_eq!(client.call("server.info", json!({}))["durability"], "failed");
    assert_eq!(home.open(json!({"agent": "bob"})).1["durability"], "failed", "others can come and read");

    fs::remove_file(&ballast).expect("the ballast");
    wait_for("changes are stored again", || {
        (client.call("server.info", json!({}))["durability"] == "journal").then_some(())
    });
    client.call("kv.set", json!({"key": "after", "value": 3}));
    assert!(home.read_log().contains("changes are stored again"));
}
