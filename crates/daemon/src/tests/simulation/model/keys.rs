//! Keys: the value that the last command left, until its TTL is over.

use callboard_broker::{Now, Record};
use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::methods::kv::{self, Operation};
use callboard_protocol::methods::{BoardAnswer, BoardCommand};

use super::{Asked, Due, Fact, Model, State};

/// What a key has.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    pub json: String,
    pub revision: u64,
    pub due: Option<Due>,
}

/// Whether a key is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Present,
    Absent,
    /// Its TTL may be over or not.
    Unsure,
}

impl State {
    /// Whether a key is there now.
    pub fn presence(&self, now: Now, key: &str) -> Presence {
        match self.keys.get(key).map(|value| value.due) {
            None => Presence::Absent,
            Some(None) => Presence::Present,
            Some(Some(due)) if due.is_certainly_ahead(now) => Presence::Present,
            Some(Some(due)) if due.is_certainly_over(now) => Presence::Absent,
            Some(Some(_)) => Presence::Unsure,
        }
    }

    fn value(&self, now: Now, key: &str) -> Option<&Value> {
        self.keys.get(key).filter(|_| self.presence(now, key) == Presence::Present)
    }

    /// The revision of a key; 0 when it is absent.
    pub fn revision(&self, now: Now, key: &str) -> u64 {
        self.value(now, key).map_or(0, |value| value.revision)
    }

    /// What a change says must happen: an error, or a revision of its own.
    fn set(&mut self, now: Now, set: &kv::Set, revision: u64) -> Result<bool, ErrorKind> {
        let key = set.key.as_str();
        let present = self.value(now, key).cloned();
        if set.if_absent == Some(true) && present.is_some() {
            return Err(ErrorKind::AlreadyExists);
        }
        let is_other = |wanted: u64| present.as_ref().map_or(0, |value| value.revision) != wanted;
        if set.if_revision.is_some_and(|wanted| is_other(wanted.0)) {
            return Err(ErrorKind::RevisionMismatch);
        }
        let kept = present.as_ref().and_then(|value| value.due).filter(|_| set.keep_ttl == Some(true));
        let due = set.ttl_ms.map(|ttl| Due::after(now, ttl.get())).or(kept);
        let value = Value { json: set.value.as_str().to_owned(), revision, due };
        self.keys.insert(key.to_owned(), value);
        Ok(present.is_none())
    }

    pub(super) fn check_key(&self, now: Now, record: &callboard_broker::record::KeyRecord) {
        let key = record.key.as_str();
        match self.presence(now, key) {
            Presence::Unsure => {}
            Presence::Absent => {
                let is_overdue = record.expires_at.is_some_and(|at| at <= now.unix_ms);
                assert!(is_overdue, "{key} is there and must not be: {record:?}");
            }
            Presence::Present => {
                let value = &self.keys[key];
                assert_eq!(
                    (record.value.as_str(), record.revision.0),
                    (value.json.as_str(), value.revision),
                    "{key} has another value: {record:?}"
                );
                assert_eq!(record.expires_at.is_some(), value.due.is_some(), "the TTL of {key}: {record:?}");
            }
        }
    }

    pub(super) fn certain_keys(&self, now: Now) -> impl Iterator<Item = &String> {
        self.keys.keys().filter(move |key| self.presence(now, key) == Presence::Present)
    }
}

impl Model {
    pub(super) fn key_answered(&mut self, now: Now, asked: &Asked, result: &Result<BoardAnswer, Error>) {
        let state = self.board(&asked.namespace);
        let before = state.keys.clone();
        let told = result.as_ref().map_err(|error| error.kind);
        state.follow(now, &asked.command, told);
        let changed = state.keys.iter().filter(|(key, value)| before.get(*key) != Some(value));
        let mut facts: Vec<Fact> =
            changed.map(|(key, value)| Fact::Key(key.clone(), Some(value.clone()))).collect();
        let gone = before.keys().filter(|key| !state.keys.contains_key(*key));
        facts.extend(gone.map(|key| Fact::Key(key.clone(), None)));
        facts.into_iter().for_each(|fact| self.learn(&asked.namespace, fact));
    }
}

impl State {
    /// Does what a command must have done, and holds the answer against it.
    fn follow(&mut self, now: Now, command: &BoardCommand, told: Result<&BoardAnswer, ErrorKind>) {
        match (command, told) {
            (BoardCommand::KvSet(set), Ok(BoardAnswer::KvSet(result))) => {
                let expected = self.set(now, set, result.revision.0);
                assert_eq!(expected, Ok(result.created), "{set:?}: {result:?}");
            }
            (BoardCommand::KvSet(set), Err(kind)) => {
                let mut attempt = Self { keys: self.keys.clone(), ..Self::default() };
                assert_eq!(attempt.set(now, set, 0), Err(kind), "{set:?}");
            }
            (BoardCommand::KvGet(get), Ok(BoardAnswer::KvGet(result))) => self.follow_get(now, get, result),
            (BoardCommand::KvDelete(delete), Ok(BoardAnswer::KvDelete(result))) => {
                assert_eq!(result.deleted, self.value(now, delete.key.as_str()).is_some(), "{delete:?}");
                self.keys.remove(delete.key.as_str());
            }
            (BoardCommand::KvDelete(delete), Err(ErrorKind::RevisionMismatch)) => {
                let revision = self.revision(now, delete.key.as_str());
                assert_ne!(delete.if_revision.map(|wanted| wanted.0), Some(revision), "{delete:?}");
            }
            (BoardCommand::KvIncrement(increment), Ok(BoardAnswer::KvIncrement(result))) => {
                self.follow_increment(now, increment, result);
            }
            (BoardCommand::KvExpire(expire), Ok(BoardAnswer::KvExpire(result))) => {
                let key = expire.key.as_str();
                assert_eq!(result.exists, self.value(now, key).is_some(), "{expire:?}");
                if let Some(value) = self.keys.get_mut(key).filter(|_| result.exists) {
                    value.due = expire.ttl_ms.flatten().map(|ttl| Due::after(now, ttl.get()));
                }
            }
            (BoardCommand::KvTxn(txn), Ok(BoardAnswer::KvTxn(result))) => self.follow_txn(now, txn, result),
            (BoardCommand::KvIncrement(_), Err(ErrorKind::TypeMismatch))
            | (BoardCommand::KvTxn(_), Err(ErrorKind::RevisionMismatch | ErrorKind::AlreadyExists)) => {}
            (command, told) => panic!("{command:?} was answered with {told:?}"),
        }
    }

    fn follow_get(&mut self, now: Now, get: &kv::Get, result: &kv::GetResult) {
        let key = get.key.as_str();
        match self.presence(now, key) {
            // From here on it is known.
            Presence::Unsure if result.exists => {}
            Presence::Unsure => {
                self.keys.remove(key);
            }
            Presence::Absent => assert!(!result.exists, "{key} is over: {result:?}"),
            Presence::Present => {
                let value = &self.keys[key];
                assert!(result.exists, "{key} is lost: {value:?}");
                assert_eq!(result.value.as_ref().unwrap().as_str(), value.json, "{key}");
                assert_eq!(result.revision.unwrap().0, value.revision, "{key}");
            }
        }
    }

    fn follow_increment(&mut self, now: Now, increment: &kv::Increment, result: &kv::IncrementResult) {
        let key = increment.key.as_str();
        let present = self.value(now, key).cloned();
        let before = present.as_ref().map_or(0, |value| value.json.parse().unwrap());
        assert_eq!(result.value, before + increment.by.unwrap_or(1), "{increment:?}");
        let due = match &present {
            Some(value) => value.due,
            None => increment.ttl_ms.map(|ttl| Due::after(now, ttl.get())),
        };
        let value = Value { json: result.value.to_string(), revision: result.revision.0, due };
        self.keys.insert(key.to_owned(), value);
    }

    fn follow_txn(&mut self, now: Now, txn: &kv::Txn, result: &kv::TxnResult) {
        let is_met =
            |condition: &kv::Condition| self.revision(now, condition.key.as_str()) == condition.revision.0;
        assert_eq!(result.succeeded, txn.conditions.iter().all(is_met), "{txn:?}");
        let otherwise = txn.otherwise.as_deref().unwrap_or_default();
        let operations = if result.succeeded { &txn.then[..] } else { otherwise };
        assert_eq!(operations.len(), result.results.len(), "{txn:?}");
        for (operation, result) in operations.iter().zip(&result.results) {
            match operation {
                Operation::Set(set) => {
                    let told: kv::SetResult = result.to().unwrap();
                    assert_eq!(self.set(now, set, told.revision.0), Ok(told.created), "{txn:?}");
                }
                Operation::Delete(delete) => {
                    let told: kv::DeleteResult = result.to().unwrap();
                    assert_eq!(told.deleted, self.value(now, delete.key.as_str()).is_some(), "{txn:?}");
                    self.keys.remove(delete.key.as_str());
                }
                Operation::Get(get) => self.follow_get(now, get, &result.to().unwrap()),
            }
        }
    }

    pub(super) fn check_record(&self, now: Now, record: &Record) {
        match record {
            Record::Key(key) => self.check_key(now, key),
            Record::Lock(lock) => self.check_lock(now, lock),
            Record::Delivery(delivery) => self.check_delivery(now, delivery),
            Record::Task(task) => self.check_task(task),
            Record::TaskState(state) => self.check_task_state(now, state),
            Record::Vote(vote) => self.check_vote(now, vote),
            Record::Ballot(ballot) => self.check_ballot(ballot),
            Record::Limiter(limiter) => self.check_limiter(now, limiter),
            _other => {}
        }
    }
}
