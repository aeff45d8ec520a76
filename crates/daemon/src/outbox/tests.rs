//! What leaves an outbox, and when.

use serde_json::Value;

use super::*;

const CONNECTION: ConnectionId = 1;

fn event(outbox: &mut Outbox, position: u64, subscription: u64, seq: u64, class: PushClass) {
    let body = Gap { missed: seq, revision: None }.body();
    let frame = Frame::Push { subscription, seq, body };
    outbox.push_event(Instant::now(), Position(position), frame, class);
}

/// The frames that leave once changes up to `stored` are stored, written whole.
fn left(outbox: &mut Outbox, stored: u64) -> Vec<Value> {
    let mut out = Vec::new();
    let framing = Framing::LineDelimited;
    let batch = Batch { framing, base: 0, enough: 1 << 20, stored: Position(stored), lost_after: None };
    outbox.hand_over(&batch, &mut out);
    outbox.written(CONNECTION, out.len() as u64);
    out.split(|&byte| byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice::<Value>(line).unwrap()["params"].clone())
        .collect()
}

#[test]
fn a_gap_waits_for_the_changes_that_it_tells_of() {
    let limits = Limits { outbound_soft_bytes: 1, outbound_hard_bytes: 1, ..Limits::default() };
    let mut outbox = Outbox::new(&limits);
    outbox.attach(CONNECTION);
    event(&mut outbox, 1, 8, 1, PushClass::Kept);
    event(&mut outbox, 2, 9, 1, PushClass::DroppableAt(Revision(7)));
    event(&mut outbox, 3, 9, 2, PushClass::DroppableAt(Revision(8)));
    assert_eq!(left(&mut outbox, 1).len(), 1);
    assert_eq!(outbox.newest(), Position(3));
    assert!(left(&mut outbox, 2).is_empty());
    let gap = left(&mut outbox, 3).remove(0);
    assert_eq!((&gap["subscription"], &gap["seq"]), (&9.into(), &1.into()));
    assert_eq!((&gap["missed"], &gap["revision"]), (&2.into(), &8.into()));
}

#[test]
fn the_newest_position_is_that_of_all_that_waits() {
    let limits = Limits { outbound_soft_bytes: 1 << 10, outbound_hard_bytes: 1, ..Limits::default() };
    let mut outbox = Outbox::new(&limits);
    outbox.attach(CONNECTION);
    event(&mut outbox, 1, 9, 1, PushClass::Droppable);
    event(&mut outbox, 2, 8, 1, PushClass::Kept);
    assert!(left(&mut outbox, 0).is_empty());
    assert_eq!(outbox.newest(), Position(2));
    assert_eq!(left(&mut outbox, 2).len(), 2);
}
