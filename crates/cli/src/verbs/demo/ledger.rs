//! What happened, as the daemon told of each change: who held which lock, what became of each message, who did which file.
//!
//! Invariant: it is filled from `server.tail` alone, in order; whether anything was missed is part of it. The daemon's word
//! is not the only evidence: `summary` compares it with what the workers saw and with the files themselves.

use std::collections::{BTreeMap, BTreeSet};

use callboard_client::Event;
use callboard_protocol::event::Change;
use callboard_protocol::methods::server::Area;

use super::words::{DONE_PREFIX, END_KEY, LOCK_PREFIX, TOTALS};

/// One worker, as one who watches sees it.
#[derive(Debug, Default)]
pub struct Doing {
    /// The file whose lock it holds.
    pub path: Option<String>,
    /// Files done.
    pub done: usize,
    /// Questions that others answered.
    pub asked: usize,
    /// Questions answered.
    pub answered: usize,
}

/// Everything that happened.
#[derive(Debug, Default)]
pub struct Ledger {
    /// The holder and the grant of each lock that is held.
    pub held: BTreeMap<String, (String, String)>,
    /// Locks granted.
    pub granted: usize,
    /// Locks whose holder was lost.
    pub expired: Vec<(String, String)>,
    /// Locks that were granted to one while another held them.
    pub overlaps: usize,
    /// How often each file was recorded.
    pub records: BTreeMap<String, usize>,
    /// How often each task was claimed.
    pub claims: BTreeMap<String, usize>,
    /// How often each task was completed.
    pub completions: BTreeMap<String, usize>,
    /// Messages sent.
    pub sent: usize,
    /// Questions answered.
    pub answered: usize,
    /// Messages that nobody acked yet.
    pub unacked: BTreeSet<String>,
    /// Messages that nobody will get any more.
    pub lost: usize,
    /// Holes in what the daemon told.
    pub gaps: usize,
    /// What each agent is doing.
    pub doing: BTreeMap<String, Doing>,
    /// Whether the mark of the end has been seen.
    pub is_complete: bool,
    senders: BTreeMap<String, String>,
}

/// What a change means to the demo.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// A worker holds a file.
    Took {
        /// Who.
        agent: String,
        /// Which.
        path: String,
    },
    /// Nothing that is acted upon.
    Other,
}

impl Ledger {
    /// Notes an event.
    pub fn note(&mut self, event: &Event) -> Turn {
        if event.is_gap() {
            self.gaps += 1;
        }
        let Some(change) = event.as_kind::<Change>() else {
            return Turn::Other;
        };
        let agent = change.agent.as_ref().map_or_else(String::new, ToString::to_string);
        let action = change.action.as_str();
        match change.area {
            Area::Lock => {
                return self.note_lock(action, change.subject, agent, change.detail.unwrap_or_default());
            }
            Area::Message => self.note_message(action, change.subject, agent),
            Area::Kv => self.note_key(action, &change.subject, agent),
            Area::Task => self.note_task(action, change.subject),
            Area::Topic | Area::Agent | Area::Coordination => {}
        }
        Turn::Other
    }

    /// Files recorded.
    pub fn done(&self) -> usize {
        self.records.len()
    }

    fn note_lock(&mut self, action: &str, name: String, agent: String, grant: String) -> Turn {
        let path = name.strip_prefix(LOCK_PREFIX).map(str::to_owned);
        if action == "granted" {
            self.granted += 1;
            if self.held.insert(name, (agent.clone(), grant)).is_some() {
                self.overlaps += 1;
            }
            let Some(path) = path else {
                return Turn::Other;
            };
            self.doing.entry(agent.clone()).or_default().path = Some(path.clone());
            return Turn::Took { agent, path };
        }
        if matches!(action, "released" | "expired" | "broken") {
            self.held.remove(&name);
            if path.is_some() {
                self.doing.entry(agent).or_default().path = None;
            }
            if action == "expired" {
                self.expired.push((name, grant));
            }
        }
        Turn::Other
    }

    fn note_message(&mut self, action: &str, id: String, agent: String) {
        match action {
            "sent" => {
                self.sent += 1;
                self.unacked.insert(id.clone());
                self.senders.insert(id, agent);
            }
            "acked" => drop(self.unacked.remove(&id)),
            "answered" => {
                self.answered += 1;
                self.doing.entry(agent).or_default().answered += 1;
                if let Some(asker) = self.senders.get(&id) {
                    self.doing.entry(asker.clone()).or_default().asked += 1;
                }
            }
            "dead" | "expired" => self.lost += 1,
            _ => {}
        }
    }

    fn note_task(&mut self, action: &str, id: String) {
        let counts = match action {
            "created" => {
                self.completions.insert(id, 0);
                return;
            }
            "claimed" => &mut self.claims,
            "completed" => &mut self.completions,
            _ => return,
        };
        *counts.entry(id).or_default() += 1;
    }

    fn note_key(&mut self, action: &str, key: &str, agent: String) {
        if key == END_KEY {
            self.is_complete = true;
        }
        if let Some(path) = key.strip_prefix(DONE_PREFIX)
            && action == "put"
        {
            *self.records.entry(path.to_owned()).or_default() += 1;
            self.doing.entry(agent).or_default().done += 1;
        }
    }
}

/// A lock's name as one who watches reads it.
pub fn shown(lock: &str) -> &str {
    if lock == TOTALS { "the totals" } else { lock.strip_prefix(LOCK_PREFIX).unwrap_or(lock) }
}

#[cfg(test)]
mod tests {
    use callboard_protocol::Json;

    use super::*;

    fn note(ledger: &mut Ledger, area: &str, action: &str, subject: &str, agent: &str) -> Turn {
        let params = format!(
            r#"{{"subscription":1,"seq":1,"kind":"change","area":"{area}","action":"{action}","subject":"{subject}",
            "agent":"{agent}","revision":1,"at":0,"detail":"token 1"}}"#
        );
        let params = Json::parse(&params).unwrap();
        ledger.note(&Event { subscription: 1, seq: 1, kind: "change".to_owned(), params })
    }

    #[test]
    fn two_holders_at_a_time_are_noticed_and_one_after_the_other_is_fine() {
        let mut ledger = Ledger::default();
        let took = Turn::Took { agent: "a".to_owned(), path: "x".to_owned() };
        assert_eq!(note(&mut ledger, "lock", "granted", "files/x", "a"), took);
        note(&mut ledger, "lock", "released", "files/x", "a");
        note(&mut ledger, "lock", "granted", "files/x", "b");
        assert_eq!((ledger.overlaps, ledger.held["files/x"].0.as_str()), (0, "b"));
        note(&mut ledger, "lock", "granted", "files/x", "c");
        assert_eq!((ledger.overlaps, ledger.granted), (1, 3));
    }

    #[test]
    fn a_message_that_nobody_acked_and_a_file_done_twice_stay_in_the_books() {
        let mut ledger = Ledger::default();
        note(&mut ledger, "message", "sent", "1", "manager");
        note(&mut ledger, "message", "sent", "2", "a");
        note(&mut ledger, "message", "answered", "2", "b");
        note(&mut ledger, "message", "acked", "2", "b");
        assert_eq!(ledger.unacked, BTreeSet::from(["1".to_owned()]));
        assert_eq!((ledger.doing["a"].asked, ledger.doing["b"].answered), (1, 1));
        note(&mut ledger, "kv", "put", "done/x", "a");
        note(&mut ledger, "kv", "put", "done/x", "b");
        assert_eq!((ledger.done(), ledger.records["x"]), (1, 2));
    }

    #[test]
    fn a_task_that_nobody_completed_and_one_claimed_twice_are_in_the_books() {
        let mut ledger = Ledger::default();
        for (action, id) in
            [("created", "1"), ("created", "2"), ("claimed", "1"), ("ready", "1"), ("claimed", "1")]
        {
            note(&mut ledger, "task", action, id, "a");
        }
        note(&mut ledger, "task", "completed", "1", "b");
        assert_eq!(ledger.claims, BTreeMap::from([("1".to_owned(), 2)]));
        assert_eq!(ledger.completions, BTreeMap::from([("1".to_owned(), 1), ("2".to_owned(), 0)]));
    }
}
