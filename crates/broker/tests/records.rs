//! What a board records: all that is needed to bring it back, or nothing when nobody stores it.

#![cfg(test)]

use callboard_broker::{Board, BoardConfig, Monotonic, Now, OpenSession, Outcome, Record, SessionId};
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

/// A record of each kind as it is on disk: with all that it may leave out, and without it.
const ON_DISK: &[&str] = &[
    r#"{"revision":9}"#,
    r#"{"key":{"key":"k","value":{"a": 1},"revision":3,"expires_at":5,"updated_at":4,"updated_by":"ann"}}"#,
    r#"{"key":{"key":"a \"b\"","value":null,"revision":3,"updated_at":4}}"#,
    r#"{"key_ended":"k"}"#,
    r#"{"lock":{"lease":{"token":7,"agent":"ann","session":"00000000000000ff","ttl_ms":10,"expires_at":20},"keys":["file:/a"],"mode":"exclusive","reason":"r","acquired_at":1}}"#,
    r#"{"lock":{"lease":{"token":7,"agent":"ann"},"keys":["a","b"],"mode":"shared","acquired_at":1}}"#,
    r#"{"lock_ended":7}"#,
    r#"{"agent":{"name":"ann","role":"r","capabilities":["c"],"description":"d","metadata":{"a":1},"status":"working","task":1,"note":"n","progress":"half","live":true,"ttl_ms":1,"registered_at":2,"last_seen_at":3}}"#,
    r#"{"agent":{"name":"ann","status":"idle","live":false,"ttl_ms":1,"registered_at":2,"last_seen_at":3}}"#,
    r#"{"agent_ended":"ann"}"#,
    r#"{"session":{"id":"0123456789abcdef","resume_token":"t","agent":"ann","client":{"name":"c","pid":1}}}"#,
    r#"{"session":{"id":"0000000000000000","client":{}}}"#,
    r#"{"session_ended":"0000000000000001"}"#,
    r#"{"leaving":{"agent":"ann","up_to":7,"is_removed":true}}"#,
    r#"{"leaving_ended":"ann"}"#,
    r#"{"message":{"id":1,"from":"ann","to":["ben","role:w"],"type":"note","subject":"s","payload":null,"correlation_id":"c","in_reply_to":2,"reply_to":"ann","thread_id":3,"priority":"high","sent_at":1,"ttl_ms":2,"expires_at":3,"request":true,"answer":4,"late":true,"dedupe":{"key":"d","recipients":[]}}}"#,
    r#"{"message":{"id":1,"to":"ben","type":"note","priority":"normal","sent_at":1,"ttl_ms":2,"expires_at":3,"request":false,"late":false}}"#,
    r#"{"message_ended":1}"#,
    r#"{"delivery":{"message":1,"agent":"ben","state":"leased","attempts":1,"queued_at":1,"ready_at":2,"leased_at":3,"ended_at":4,"lease":{"token":8,"agent":"ben"}}}"#,
    r#"{"delivery":{"message":1,"agent":"ben","state":"queued","attempts":0,"queued_at":1}}"#,
    r#"{"task":{"id":1,"title":"t","priority":"normal","max_attempts":3,"backoff_ms":1000,"on_dependency_failure":"fail","review":false,"created_at":1}}"#,
    r#"{"task_state":{"task":1,"status":"pending","turn":2,"attempts":0,"releases":0,"updated_at":3}}"#,
    r#"{"task_ended":1}"#,
    r#"{"vote":{"id":1,"question":"q","options":["a","b"],"voters":["ann"],"quorum":1,"opened_by":"ann","closes_at":2,"forget_at":3}}"#,
    r#"{"vote":{"id":1,"question":"q","options":["a","b"],"voters":["ann"],"quorum":1,"closes_at":2}}"#,
    r#"{"ballot":{"vote":1,"voter":"ann","choice":"a","rationale":"r","cast_at":1}}"#,
    r#"{"ballot":{"vote":1,"voter":"ann","choice":"a","cast_at":1}}"#,
    r#"{"vote_ended":1}"#,
    r#"{"limiter":{"name":"l","rate":1,"per_ms":2,"burst":3,"full_at":4}}"#,
    r#"{"limiter_ended":"l"}"#,
];

#[test]
fn the_form_on_disk_stays_as_it_is() {
    for line in ON_DISK {
        let record: Record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert_eq!(&serde_json::to_string(&record).unwrap(), line);
    }
}
