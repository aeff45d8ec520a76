//! Every behaviour of the board as a text script, one file for each group in `scenarios/`, run in virtual time.
//!
//! Invariant: a script reads top to bottom as what its sessions send and get, and anything that they get besides
//! fails it. How scripts are written is told in `runner`. Sockets, frames and stores are not here.

#![cfg(test)]
#![allow(clippy::disallowed_methods, reason = "scripts are read from files")]

mod runner;

use std::fs;

#[test]
fn every_scenario_holds() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "no scenario in {folder}");
    let failures: Vec<String> = paths
        .iter()
        .filter_map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy();
            runner::run(&name, &text).err()
        })
        .collect();
    assert!(failures.is_empty(), "\n{}\n", failures.join("\n\n"));
}

fn failure(script: &str) -> String {
    runner::run("s.txt", script).unwrap_err()
}

#[test]
fn an_answer_other_than_expected_is_reported_with_its_line() {
    let told = failure("open a\na> kv.get {\"key\":\"k\"}\n  = {\"exists\":true}\n");
    assert!(told.starts_with("s.txt:3: "), "{told}");
    assert!(told.contains("exists") && told.contains("false"), "{told}");
}

#[test]
fn an_error_that_nobody_expected_fails_the_script() {
    let told = failure("open a\na> kv.get {\"kee\":1}\nopen b\n");
    assert!(told.starts_with("s.txt:2: ") && told.contains("invalid_params"), "{told}");
    let told = failure("open a\na> kv.get {\"key\":\"k\"}\n  ! not_found\n");
    assert!(told.starts_with("s.txt:3: "), "{told}");
}

#[test]
fn an_event_that_nobody_expected_fails_the_script() {
    let watch = "open a\na> kv.watch {\"prefix\":\"\"}\na> kv.set {\"key\":\"k\",\"value\":1}\n";
    let told = failure(watch);
    assert!(told.starts_with("s.txt:3: ") && told.contains("kv.put"), "{told}");
    assert_eq!(runner::run("s.txt", &format!("ignore events\n{watch}tick 1 s\n")), Ok(()));
    let told = failure(&format!("{watch}a< event kv.delete {{...}}\n"));
    assert!(told.starts_with("s.txt:4: ") && told.contains("kv.put"), "{told}");
}

#[test]
fn a_bound_name_must_keep_its_value() {
    let set = "open a\na> kv.set {\"key\":\"k\",\"value\":1}\n  = {\"revision\":@r,\"created\":true}\n";
    let again = "a> kv.set {\"key\":\"k\",\"value\":1}\n  = {\"revision\":@r,\"created\":false}\n";
    assert!(failure(&format!("{set}{again}")).starts_with("s.txt:5: "));
}
