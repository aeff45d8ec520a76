//! What a queue does when it is full, and when it ends.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use callboard_protocol::Json;

use super::*;

/// An event with further members; some 40 bytes without.
fn event(seq: u64, members: &str) -> Event {
    let params = format!(r#"{{"subscription":7,"seq":{seq},"kind":"k"{members}}}"#);
    Event { subscription: 7, seq, kind: "k".to_owned(), params: Json::parse(&params).unwrap() }
}

fn gap_of(event: &Event) -> Gap {
    assert!(event.is_gap(), "{event:?}");
    event.to().unwrap()
}

#[test]
fn what_is_past_the_bound_becomes_one_gap_in_its_place() {
    let feed = Feed::new(100);
    feed.bind(7);
    for seq in 1..=5 {
        feed.push(event(seq, ""));
    }
    assert_eq!(feed.pop().unwrap().seq, 1);
    // There is room again, but what comes now may not come before the gap.
    feed.push(event(6, ""));
    assert_eq!(feed.pop().unwrap().seq, 2);
    let gap = feed.pop().unwrap();
    assert_eq!((gap.subscription, gap.seq), (7, 3));
    assert_eq!(gap_of(&gap).missed, 4);
    feed.push(event(7, ""));
    assert_eq!(feed.pop().unwrap().seq, 7);
    assert_eq!(feed.pop(), None);
}

#[test]
fn a_gap_that_is_missed_counts_for_what_it_stood_for_and_hands_its_revision_on() {
    let feed = Feed::new(10);
    feed.push(event(1, ""));
    feed.push(event(2, r#","revision":8"#));
    feed.push(event(3, r#","missed":10,"revision":30"#));
    feed.push(event(13, ""));
    feed.pop().unwrap();
    let gap = gap_of(&feed.pop().unwrap());
    assert_eq!((gap.missed, gap.revision), (12, Some(Revision(30))));
}

#[test]
fn an_event_larger_than_the_bound_comes_when_it_is_alone() {
    let feed = Feed::new(1);
    feed.push(event(1, ""));
    assert_eq!(feed.pop().unwrap().seq, 1);
    feed.push(event(2, ""));
    assert_eq!(feed.pop().unwrap().seq, 2);
}

#[test]
fn the_end_comes_after_what_waits() {
    let feed = Feed::new(100);
    feed.push(event(1, ""));
    feed.end(End::Lost("gone".into()));
    let mut context = Context::from_waker(Waker::noop());
    let first = pin!(feed.next()).poll(&mut context);
    assert!(matches!(first, Poll::Ready(Some(Event { seq: 1, .. }))));
    assert_eq!(pin!(feed.next()).poll(&mut context), Poll::Ready(None));
}
