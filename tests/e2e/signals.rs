//! The clean stop by signal.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::Home;
use crate::stop::expect_clean_end;

#[test]
fn both_signals_stop_it_cleanly_and_tell_everybody() {
    for signal in [Signal::TERM, Signal::INT] {
        let home = Home::new();
        let daemon = home.start();
        let (mut opened, _) = home.open(json!({"agent": "ada", "namespace": "n"}));
        let mut raw = home.connect();
        raw.call("kv.set", json!({"key": "a", "value": 1}));
        let silent = home.connect();
        let asked = Instant::now();
        daemon.signal(signal);
        for client in [&mut opened, &mut raw] {
            let event = client.event_of("server.stopping");
            assert_eq!((&event["subscription"], &event["seq"]), (&json!(0), &json!(1)));
            client.expect_end();
        }
        expect_clean_end(&home, daemon);
        assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
        drop(silent);
        let _next = home.start();
        assert_eq!(home.connect().call("kv.get", json!({"key": "a"}))["value"], 1);
    }
}

#[test]
fn a_signal_ends_a_drain() {
    let home = Home::in_memory();
    let daemon = home.start();
    let mut client = home.connect();
    client.call("server.shutdown", json!({"drain_ms": 3_600_000}));
    client.event_of("server.stopping");
    client.call("server.ping", json!({}));
    daemon.signal(Signal::TERM);
    client.drain();
    expect_clean_end(&home, daemon);
}
