//! Two framings on one socket: how they are chosen, how frames may arrive, and what ends a connection.

use std::io::{ErrorKind, Write};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Framing, Home, PATIENCE, Raw, resident_kib, wait_for};

const PING: &str = r#"{"id":1,"method":"server.ping"}"#;
const PONG: &str = r#"{"jsonrpc":"2.0","id":1,"result":{}}"#;
const BOTH: [Framing; 2] = [Framing::Lines, Framing::Lengths];

/// A daemon whose frames have at most 4 KiB.
fn small_frames() -> Home {
    Home::in_memory().with_limits("frame_bytes = 4096\nvalue_bytes = 2048")
}

#[track_caller]
fn expect_pong(client: &mut Raw) {
    assert_eq!(client.frame().as_deref(), Some(PONG));
}

#[test]
fn both_framings_are_served_side_by_side() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let [mut lines, mut lengths] = BOTH.map(|framing| home.connect_with(framing));
    lines.call("kv.set", json!({"key": "a", "value": [1, 2]}));
    assert_eq!(lengths.call("kv.get", json!({"key": "a"}))["value"], json!([1, 2]));
    for client in [&mut lines, &mut lengths] {
        client.send(PING);
        expect_pong(client);
    }
}

#[test]
fn frames_may_come_byte_by_byte_and_many_at_once() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for framing in BOTH {
        let mut client = home.connect_with(framing);
        for byte in framing.frame(PING) {
            client.write([byte]);
        }
        expect_pong(&mut client);
        // Two and a half frames in one write, the rest after their replies.
        let frames = framing.frame(PING).repeat(3);
        let (first, rest) = frames.split_at(frames.len() - 10);
        client.write(first);
        expect_pong(&mut client);
        expect_pong(&mut client);
        client.write(rest);
        expect_pong(&mut client);
    }
}

#[test]
fn spaces_line_breaks_and_one_mark_may_stand_before_the_first_line() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for before in ["\u{feff}", " \r\n \n", "\n\u{feff}\n ", "\u{feff} \r\n"] {
        let mut client = home.connect();
        for byte in before.bytes() {
            client.write([byte]);
        }
        client.send(PING);
        expect_pong(&mut client);
    }
    for before in ["\u{feff}\u{feff}", "\t", "\n\0"] {
        let mut client = home.connect();
        client.write(before);
        client.next_failure("parse_error");
        client.expect_end();
    }
}

#[test]
fn blank_lines_and_carriage_returns_at_line_ends_are_passed_over() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect();
    client.write(format!("{PING}\r\n\r\n\n   \n{PING}\n"));
    expect_pong(&mut client);
    expect_pong(&mut client);
}

#[test]
fn any_other_first_byte_gets_one_line_and_the_end() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for first in [b'G', b'[', b'"', 0x01, 0x80, 0xff, 0xef] {
        let mut client = home.connect();
        client.write([first, b' ']);
        client.next_failure("parse_error");
        client.expect_end();
    }
}

#[test]
fn an_empty_frame_is_a_parse_error_and_no_end() {
    let home = Home::in_memory();
    let _daemon = home.start();
    let mut client = home.connect_with(Framing::Lengths);
    client.send("");
    client.next_failure("parse_error");
    client.send(PING);
    expect_pong(&mut client);
}

#[test]
fn malformed_json_is_told_where_and_the_connection_lives_on() {
    let home = Home::in_memory();
    let _daemon = home.start();
    for framing in BOTH {
        let mut client = home.connect_with(framing);
        client.send(r#"{"id":1,"method":server.ping}"#);
        assert_eq!(client.next_failure("parse_error")["offset"], 17);
        client.send(PING);
        expect_pong(&mut client);
    }
}

#[test]
fn a_header_over_the_limit_is_refused_before_any_body() {
    let home = small_frames();
    let _daemon = home.start();
    let mut client = home.connect_with(Framing::Lengths);
    client.send(PING);
    expect_pong(&mut client);
    client.write(4097_u32.to_be_bytes());
    assert_eq!(client.next_failure("frame_too_large")["max"], 4096);
    client.expect_end();

    let mut first = home.connect_with(Framing::Lengths);
    first.write([0, 0xff, 0xff, 0xff]);
    first.next_failure("frame_too_large");
    first.expect_end();
}

#[test]
fn a_frame_of_exactly_the_limit_is_taken() {
    let home = small_frames();
    let _daemon = home.start();
    for framing in BOTH {
        let mut client = home.connect_with(framing);
        client.send(&format!("{PING}{}", " ".repeat(4096 - PING.len())));
        expect_pong(&mut client);
        client.send(&format!("{PING}{}", " ".repeat(4097 - PING.len())));
        client.next_failure("frame_too_large");
        client.expect_end();
    }
}

#[test]
fn a_line_over_the_limit_is_refused_before_its_end() {
    let home = small_frames();
    let _daemon = home.start();
    let mut client = home.connect();
    client.write(format!("{{{}", "x".repeat(5000)));
    client.next_failure("frame_too_large");
    client.expect_end();
}

#[test]
fn the_fatal_error_arrives_although_the_client_writes_on() {
    let home = small_frames();
    let _daemon = home.start();
    let mut client = home.connect();
    let mut writer = client.writer();
    let start = Instant::now();
    // Far more than the socket's buffers hold: were the daemon to close at once, the error would be lost.
    let flood = std::thread::spawn(move || {
        let chunk = vec![b'{'; 64 << 10];
        while start.elapsed() < PATIENCE {
            if let Err(error) = writer.write_all(&chunk) {
                return error.kind();
            }
        }
        ErrorKind::TimedOut
    });
    client.next_failure("frame_too_large");
    client.expect_end();
    let end = flood.join().expect("the writer");
    assert!(matches!(end, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{end}");
    let lasted = start.elapsed();
    assert!(lasted > Duration::from_millis(900), "input was dropped for {lasted:?} only");
    assert!(lasted < Duration::from_secs(5), "it took {lasted:?} to close");
}

#[test]
fn a_client_that_leaves_after_a_fatal_error_is_not_waited_for() {
    let home = small_frames();
    let _daemon = home.start();
    let mut client = home.connect();
    client.write("x");
    client.next_failure("parse_error");
    drop(client);
    let mut other = home.connect();
    wait_for("the connection is gone", || {
        (other.call("server.stats", json!({}))["connections"] == 1).then_some(())
    });
}

#[test]
fn a_length_announced_costs_no_memory() {
    let home = Home::in_memory().with_limits("frame_bytes = 16777215");
    let daemon = home.start();
    let before = resident_kib(daemon.pid());
    let mut clients: Vec<Raw> = (0..200).map(|_| home.connect_with(Framing::Lengths)).collect();
    for client in &mut clients {
        client.write([0, 0xff, 0xff, 0xff, b'{']);
    }
    home.connect().call("server.ping", json!({}));
    let grown = resident_kib(daemon.pid()).saturating_sub(before);
    assert!(grown < 64 << 10, "200 announcements cost {grown} KiB");
}
