//! What a board records: all that is needed to bring it back, or nothing when nobody stores it.

#![cfg(test)]

use callboard_broker::{Board, BoardConfig, Monotonic, Now, OpenSession, Outcome, SessionId};
use callboard_protocol::json::object::Text as _;
use callboard_protocol::methods::{BoardCommand, session};
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::Revision;
use callboard_protocol::{Json, RequestId};
use serde::de::DeserializeOwned;
use serde_json::json;

const SESSION: SessionId = SessionId(1);
const NOW: Now = Now { monotonic: Monotonic(1), unix_ms: 1 };

/// The commands of an agent that uses every kind of entity.
fn commands() -> [BoardCommand; 5] {
    [
        BoardCommand::KvSet(parsed(json!({"key": "a", "value": 1}))),
        BoardCommand::LockAcquire(parsed(json!({"keys": ["file:/a"]}))),
        BoardCommand::MessageSend(parsed(json!({"to": "worker", "type": "note", "payload": 1}))),
        BoardCommand::TaskCreate(parsed(json!({"title": "build"}))),
        BoardCommand::TaskClaim(parsed(json!({}))),
    ]
}

fn parsed<T: DeserializeOwned>(params: serde_json::Value) -> T {
    serde_json::from_str(&params.to_string()).expect("good parameters")
}

/// The answers of a board to these, and how many records it made.
fn answers(records: bool) -> (Vec<String>, usize) {
    let mut board = Board::new(BoardConfig { records, ..BoardConfig::default() }, Revision(0));
    let agent = AgentName::new("worker").ok();
    let client = session::Program::default();
    board.open_session(NOW, OpenSession { id: SESSION, resume_token: None, agent, client }).unwrap();
    let mut made = board.take_effects().records.len();
    let answer = |command| {
        let outcome = board.apply(NOW, SESSION, Some(&RequestId::from(1)), command);
        made += board.take_effects().records.len();
        match outcome {
            Outcome::Done(Ok(answer)) => Json::from_value(&answer).unwrap().as_str().to_owned(),
            other => panic!("{other:?}"),
        }
    };
    (commands().into_iter().map(answer).collect(), made)
}

#[test]
fn a_session_is_recorded_as_it_is_shown() {
    for id in [0, 1, 0x0123_4567_89ab_cdef, u64::MAX].map(SessionId) {
        let mut recorded = String::new();
        id.write(&mut recorded);
        assert_eq!(recorded, format!("\"{id}\""));
    }
}

#[test]
fn a_board_that_nobody_stores_answers_the_same_and_records_nothing() {
    let (stored, records) = answers(true);
    let (unstored, none) = answers(false);
    assert_eq!(stored, unstored);
    assert!(records >= 5, "{records}");
    assert_eq!(none, 0);
}
