//! Readers that are slow or stop: what they miss is told, what they asked for is kept, and nobody else notices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::harness::{Framing, Home, Raw, resident_kib, wait_for};

/// A daemon that calls a reader slow after 64 KiB and drops its events past 256 KiB.
fn impatient() -> Home {
    Home::in_memory().with_limits("outbound_soft_bytes = 65536\noutbound_hard_bytes = 262144")
}

fn seq(event: &Value) -> u64 {
    event["seq"].as_u64().expect("a seq")
}

/// Reads events from the first one to the one with this seq, and checks that holes are told; gives how many were missed,
/// and the last gap.
#[track_caller]
fn read_up_to(client: &mut Raw, last: u64) -> (u64, Value) {
    let (mut next, mut missed, mut gap) = (1, 0, Value::Null);
    while next <= last {
        let event = client.event();
        assert_eq!(seq(&event), next, "{}", event["kind"]);
        if event["kind"] == "gap" {
            let count = event["missed"].as_u64().filter(|count| *count > 0).expect("a count");
            missed += count;
            next += count;
            gap = event;
        } else {
            next += 1;
        }
    }
    (missed, gap)
}

#[test]
fn a_slow_reader_gets_a_gap_and_a_fast_one_everything() {
    let home = impatient();
    let _daemon = home.start();
    let (mut slow, mut fast, mut publisher) = (home.connect(), home.connect(), home.connect());
    for client in [&mut slow, &mut fast] {
        client.call("topic.subscribe", json!({"pattern": "flood.>"}));
    }
    let padding = "x".repeat(2000);
    for number in 0..1000 {
        let publish = json!({"topic": "flood.a", "payload": [number, padding]});
        assert_eq!(publisher.call("topic.publish", publish)["subscribers"], 2);
        let event = fast.event_of("topic");
        assert_eq!((seq(&event), &event["payload"][0]), (number + 1, &json!(number)));
    }
    // The slow one gets what was kept; one more event, so that there is one after the gap.
    let mut events = 0;
    let gap = loop {
        let event = slow.event();
        events += 1;
        assert_eq!(seq(&event), events);
        if event["kind"] == "gap" {
            break event;
        }
        assert_eq!(event["payload"][0], events - 1);
    };
    assert_eq!(seq(&gap) + gap["missed"].as_u64().expect("a count"), 1001);
    publisher.call("topic.publish", json!({"topic": "flood.b", "payload": "after"}));
    let event = slow.event_of("topic");
    assert_eq!((seq(&event), &event["payload"]), (1001, &json!("after")));
    let drops = publisher.call("server.stats", json!({}))["drops"].take();
    assert_eq!(drops, gap["missed"]);
}

#[test]
fn the_gap_of_a_watch_says_from_where_to_list() {
    let home = impatient();
    let _daemon = home.start();
    let (mut slow, mut writer) = (home.connect(), home.connect());
    slow.call("kv.watch", json!({"prefix": ""}));
    let value = "x".repeat(2000);
    for number in 0..500 {
        writer.call("kv.set", json!({"key": format!("k{number}"), "value": value}));
    }
    let (missed, gap) = read_up_to(&mut slow, 500);
    assert!(missed > 0, "nothing was missed");
    let last = writer.call("kv.set", json!({"key": "last", "value": 1}))["revision"].take();
    assert_eq!(gap["revision"].as_u64().expect("a revision") + 1, last.as_u64().expect("a revision"));
    assert_eq!(seq(&slow.event_of("kv.put")), 501);
}

#[test]
fn a_reader_that_stays_slow_misses_events_long_before_the_hard_limit() {
    let home = Home::in_memory().with_limits("outbound_soft_bytes = 65536\noutbound_soft_ms = 50");
    let _daemon = home.start();
    let (mut slow, mut publisher) = (home.connect(), home.connect());
    slow.call("topic.subscribe", json!({"pattern": ">"}));
    let publish = json!({"topic": "t", "payload": "x".repeat(20_000)});
    let mut published = 0;
    wait_for("a drop", || {
        publisher.call("topic.publish", publish.clone());
        published += 1;
        (publisher.call("server.stats", json!({}))["drops"] != 0).then_some(())
    });
    assert!(published < 1500, "{published} events were kept");
    read_up_to(&mut slow, published);
}

#[test]
fn a_burst_below_the_hard_limit_reaches_everybody_whole() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let (mut reader, mut publisher) = (home.connect(), home.connect());
    reader.call("topic.subscribe", json!({"pattern": ">"}));
    for number in 0..1000 {
        publisher.call("topic.publish", json!({"topic": "t", "payload": [number, "x".repeat(10_000)]}));
    }
    assert_eq!(read_up_to(&mut reader, 1000).0, 0);
}

#[test]
fn replies_are_never_dropped_and_never_pile_up() {
    let home = Home::in_memory().with_limits("outbound_soft_bytes = 1048576");
    let daemon = home.start();
    let (mut client, mut other) = (home.connect_with(Framing::Lengths), home.connect());
    let value = "x".repeat(500_000);
    client.call("kv.set", json!({"key": "big", "value": value}));
    let before = resident_kib(daemon.pid());
    let gets: Vec<u64> = (0..60).map(|_| client.start("kv.get", json!({"key": "big"}))).collect();
    let done = client.start("kv.set", json!({"key": "done", "value": 1}));
    // The daemon stops reading this client before it holds all of its thirty megabytes, and serves others meanwhile.
    for _ in 0..200 {
        assert_eq!(other.call("kv.get", json!({"key": "done"})), json!({"exists": false}));
    }
    let grown = resident_kib(daemon.pid()).saturating_sub(before);
    assert!(grown < 12 << 10, "{grown} KiB for a client that does not read");
    for id in gets {
        assert_eq!(client.result(id)["value"].as_str().map(str::len), Some(500_000));
    }
    client.result(done);
}

/// Asks for thirty megabytes, of which the daemon holds one, and does not read them yet.
fn ask_for_more_than_fits(home: &Home) -> (Raw, Vec<u64>) {
    let mut client = home.connect();
    client.call("kv.set", json!({"key": "big", "value": "x".repeat(500_000)}));
    let asked = (0..60).map(|_| client.start("kv.get", json!({"key": "big"}))).collect();
    (client, asked)
}

#[cfg(unix)]
#[test]
fn the_end_of_input_waits_for_all_replies() {
    let home = Home::in_memory().with_limits("outbound_soft_bytes = 1048576");
    let _daemon = home.start();
    let (mut client, asked) = ask_for_more_than_fits(&home);
    client.write(r#"{"id":"last","method":"server.ping"}"#);
    client.end_input();
    for id in asked {
        assert_eq!(client.next_reply()["id"], id);
    }
    assert_eq!(client.next_reply()["id"], "last");
    client.expect_end();
}

#[test]
fn a_hang_up_is_noticed_although_nothing_is_read() {
    let home = Home::in_memory().with_limits("outbound_soft_bytes = 1048576");
    let _daemon = home.start();
    let mut other = home.connect();
    let (client, _) = ask_for_more_than_fits(&home);
    drop(client);
    wait_for("the connection is gone", || {
        (other.call("server.stats", json!({}))["connections"] == 1).then_some(())
    });
}

#[test]
fn an_initial_state_larger_than_any_buffer_comes_whole_among_the_changes() {
    let home = Home::in_memory().with_limits("outbound_soft_bytes = 65536\noutbound_hard_bytes = 1048576");
    let _daemon = home.start();
    let (mut watcher, mut writer) = (home.connect(), home.connect());
    let value = "x".repeat(5000);
    for number in 0..300 {
        writer.call("kv.set", json!({"key": format!("k{number:03}"), "value": value}));
    }
    watcher.call("kv.watch", json!({"prefix": "k", "initial": true}));
    // Changes before, at and after where the walk stands, while the watcher does not read.
    writer.call("kv.set", json!({"key": "k000", "value": "changed"}));
    writer.call("kv.delete", json!({"key": "k299"}));
    writer.call("kv.set", json!({"key": "k300", "value": "new"}));
    let mut state = std::collections::BTreeMap::new();
    let mut last = 0;
    loop {
        let event = watcher.event();
        last += 1;
        assert_eq!(seq(&event), last);
        let key = event["key"].as_str().unwrap_or_default().to_owned();
        match event["kind"].as_str().expect("a kind") {
            "kv.put" => state.insert(key, event["value"].clone()),
            "kv.delete" => state.remove(&key),
            "kv.synced" => break,
            other => panic!("{other}"),
        };
    }
    assert!(!watcher.has_events());
    assert_eq!(state.len(), 300);
    assert_eq!((&state["k000"], &state["k300"]), (&json!("changed"), &json!("new")));
    assert!(!state.contains_key("k299"));
}

#[test]
fn clients_that_never_pause_leave_the_others_their_turns() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let is_over = AtomicBool::new(false);
    let flood = |mut client: Raw| {
        let lines = "{\"method\":\"kv.increment\",\"params\":{\"key\":\"n\"}}\n".repeat(2000);
        while !is_over.load(Ordering::Relaxed) {
            client.write(&lines);
        }
    };
    let mut other = home.connect();
    other.call("kv.set", json!({"key": "n", "value": 0}));
    let passed_over = thread::scope(|threads| {
        for _ in 0..3 {
            let client = home.connect();
            threads.spawn(|| flood(client));
        }
        let mut done = || other.call("kv.get", json!({"key": "n"}))["value"].as_u64().expect("a count");
        while done() == 0 {}
        let counts: Vec<u64> = (0..100).map(|_| done()).collect();
        is_over.store(true, Ordering::Relaxed);
        counts.windows(2).map(|pair| pair[1] - pair[0]).max()
    });
    // A socket holds thousands of requests, and is never empty here.
    assert!(passed_over < Some(30_000), "{passed_over:?} requests of others came first");
}

#[test]
fn events_of_two_subscriptions_have_their_own_numbers() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    let first = client.call("topic.subscribe", json!({"pattern": "a"}))["subscription"].take();
    let second = client.call("topic.subscribe", json!({"pattern": "*"}))["subscription"].take();
    for topic in ["a", "b", "a"] {
        client.call("topic.publish", json!({"topic": topic, "payload": 0}));
    }
    let mut seqs = Vec::new();
    for _ in 0..5 {
        let event = client.event_of("topic");
        seqs.push((event["subscription"] == first, seq(&event)));
        assert!(event["subscription"] == first || event["subscription"] == second);
    }
    seqs.sort_unstable();
    assert_eq!(seqs, [(false, 1), (false, 2), (false, 3), (true, 1), (true, 2)]);
}

#[test]
fn a_client_that_breaks_the_framing_and_reads_nothing_does_not_stay_for_ever() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut watcher = home.connect();
    let mut client = home.connect();
    let value = "x".repeat(100_000);
    client.call("kv.set", json!({"key": "a", "value": value}));
    let mut writer = client.writer();
    for id in 0..50 {
        let line = format!("{{\"id\":{id},\"method\":\"kv.get\",\"params\":{{\"key\":\"a\"}}}}\n");
        std::io::Write::write_all(&mut writer, line.as_bytes()).expect("there is room for requests");
    }
    let too_long = vec![b' '; 5 << 20];
    // It ends with an error once the daemon has given up.
    let _ = std::io::Write::write_all(&mut writer, &[b"{", too_long.as_slice()].concat());
    wait_for("the connection is gone", || {
        (watcher.call("server.stats", json!({}))["connections"] == 1).then_some(())
    });
}

// What a pipe takes without a reader has no limit that one could count on.
#[cfg(unix)]
#[test]
fn requests_held_up_by_unread_replies_take_effect_when_their_turn_comes() {
    let home = impatient();
    let _daemon = home.start();
    let (mut slow, mut other) = (home.connect_with(Framing::Lines), home.connect());
    other.call("kv.set", json!({"key": "big", "value": "x".repeat(900_000)}));
    other.call("kv.watch", json!({"key": "begun"}));
    other.call("kv.watch", json!({"key": "brief"}));
    let request = |id: usize, method: &str, params: Value| {
        Framing::Lines.frame(&json!({"id": id, "method": method, "params": params}).to_string())
    };
    // In one write, so that they come together; the second one's reply holds up the third.
    let together = [
        request(1, "kv.set", json!({"key": "begun", "value": 1})),
        request(2, "kv.get", json!({"key": "big"})),
        request(3, "kv.set", json!({"key": "late", "value": 1})),
    ];
    slow.write(together.concat());
    other.event_of("kv.put");
    other.call("kv.set", json!({"key": "brief", "value": 1, "ttl_ms": 50}));
    other.event_of("kv.put");
    other.event_of("kv.expire");
    let before = other.call("kv.set", json!({"key": "before", "value": 1}))["revision"].as_u64();
    let late = slow.result(3)["revision"].as_u64();
    assert!(late > before, "nothing held it up");
    let mut set_at = |key: &str| other.call("kv.get", json!({"key": key}))["updated_at"].as_u64();
    let (late, before) = (set_at("late"), set_at("before"));
    assert!(late >= before, "{late:?} is before {before:?}");
}
