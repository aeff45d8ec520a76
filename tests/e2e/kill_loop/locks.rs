//! Clients that contend for a few locks, bound to their session or their agent.
//!
//! Invariant: a lock whose grant was acknowledged is held under the same token until its release was asked for, and not
//! after that was acknowledged. The tokens of all clients rise through all rounds.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::round::{Round, Session, Workload};
use crate::harness::{Home, Random};

const NAMES: [&str; 3] = ["src/a", "src/b", "docs/**"];
const HOUR_MS: u64 = 3_600_000;
/// Short: a waiter that gets nothing should soon do something else.
const WAIT_MS: u64 = 5;

#[derive(Debug, Default)]
pub struct Locks {
    /// Granted, as far as anybody was told.
    held: BTreeMap<&'static str, u64>,
    /// Asked for, without an answer.
    asked: Option<&'static str>,
    /// Being released, without an answer.
    releasing: Option<(&'static str, u64)>,
    /// The last token of a name whose release was acknowledged.
    released: BTreeMap<&'static str, u64>,
    acknowledged: usize,
}

impl Locks {
    fn acquire(
        &mut self,
        round: &Round<'_>,
        session: &mut Session,
        random: &mut Random,
        name: &'static str,
    ) -> Option<()> {
        self.asked = Some(name);
        let bind = random.pick(&["agent", "session"]);
        let wait_ms = random.pick(&[0, WAIT_MS]);
        let params =
            json!({"keys": [name], "ttl_ms": HOUR_MS, "wait_ms": wait_ms, "bind": bind, "reason": "work"});
        let floor = round.floor();
        match round.try_ask(session, "lock.acquire", params)? {
            Ok(granted) => {
                assert_eq!(granted.get("extended"), None, "{name} was not held by {}", session.agent);
                round.rise(&granted["token"], floor);
                self.held.insert(name, granted["token"].as_u64().expect("a token"));
                self.acknowledged += 1;
            }
            Err(error) => {
                let kind = error["data"]["kind"].as_str();
                assert!(matches!(kind, Some("lock_held" | "timeout" | "deadlock")), "{error}");
            }
        }
        self.asked = None;
        Some(())
    }

    fn release(
        &mut self,
        round: &Round<'_>,
        session: &mut Session,
        name: &'static str,
        token: u64,
    ) -> Option<()> {
        self.held.remove(name);
        self.releasing = Some((name, token));
        let released = round.ask(session, "lock.release", json!({"token": token}))?;
        assert_eq!(released, json!({"released": 1}));
        self.released.insert(name, token);
        self.releasing = None;
        self.acknowledged += 1;
        Some(())
    }
}

impl Workload for Locks {
    fn step(&mut self, round: &Round<'_>, session: &mut Session, random: &mut Random) -> Option<()> {
        let name = *random.pick(&NAMES);
        match self.held.get(name).copied() {
            Some(token) => self.release(round, session, name, token),
            None => self.acquire(round, session, random, name),
        }
    }

    fn verify(&mut self, _home: &Home, session: &mut Session) -> usize {
        let listed = session.client.call("lock.list", json!({"agent": session.agent}))["locks"].take();
        let listed: BTreeMap<&str, u64> = listed.as_array().expect("locks").iter().map(named).collect();
        for (name, token) in &self.held {
            assert_eq!(listed.get(name), Some(token), "{name} was granted to {}: {listed:?}", session.agent);
        }
        for (name, token) in listed.iter().filter(|(name, _)| !self.held.contains_key(*name)) {
            let is_unanswered = self.asked == Some(name) || self.releasing == Some((name, *token));
            assert!(is_unanswered, "{name} is held by {}, who was told otherwise", session.agent);
            assert_ne!(self.released.get(name), Some(token), "{name} was released");
        }
        let released = session.client.call("lock.release", json!({"keys": NAMES}));
        assert_eq!(released, json!({"released": listed.len()}));
        self.held.clear();
        (self.asked, self.releasing) = (None, None);
        std::mem::take(&mut self.acknowledged)
    }
}

/// The name and the token of a lock in a list.
fn named(lock: &Value) -> (&'static str, u64) {
    let name = NAMES.into_iter().find(|name| lock["keys"][0] == *name).expect("one of ours");
    (name, lock["token"].as_u64().expect("a token"))
}
