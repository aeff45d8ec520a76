//! A client that writes to itself, receives and acknowledges.
//!
//! Invariant: a message whose sending was acknowledged is there until its ack was asked for, and never comes again after
//! that ack was acknowledged.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::round::{Round, Session, Workload};
use crate::harness::{Home, Random};

/// What may lie in the inbox before some of it is taken.
const UNREAD_MAX: usize = 40;
const HOUR_MS: u64 = 3_600_000;

/// How far a message is, as far as anybody was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Sent,
    Taken { receipt: String },
    AckAsked,
}

#[derive(Debug, Default)]
pub struct Messages {
    last: u64,
    /// By what they say, which is a number of their own.
    open: BTreeMap<u64, Stage>,
    /// Sent without an answer.
    doubtful: BTreeSet<u64>,
    acked: BTreeSet<u64>,
    acknowledged: usize,
}

impl Messages {
    fn send(&mut self, round: &Round<'_>, session: &mut Session, random: &mut Random) -> Option<()> {
        self.last += 1;
        let number = self.last;
        self.doubtful.insert(number);
        let priority = random.pick(&["low", "normal", "urgent"]);
        let params = json!({"to": session.agent, "payload": number, "priority": priority});
        round.ask_for_new(session, "message.send", params, "/id")?;
        self.doubtful.remove(&number);
        self.open.insert(number, Stage::Sent);
        self.acknowledged += 1;
        Some(())
    }

    fn receive(&mut self, round: &Round<'_>, session: &mut Session, random: &mut Random) -> Option<()> {
        let params = json!({"max": 1 + random.below(5), "lease_ms": HOUR_MS});
        let received = round.ask(session, "message.receive", params)?;
        for message in received["messages"].as_array().expect("messages") {
            let number = self.delivered(message);
            assert_eq!(self.open.get(&number), Some(&Stage::Sent), "{number} was delivered twice");
            self.open.insert(number, taken(message));
        }
        Some(())
    }

    fn ack(&mut self, round: &Round<'_>, session: &mut Session, count: usize) -> Option<()> {
        let taken: Vec<_> = self.receipts().take(count).collect();
        for (number, _) in &taken {
            self.open.insert(*number, Stage::AckAsked);
        }
        let receipts: Vec<_> = taken.iter().map(|(_, receipt)| receipt).collect();
        let acked = round.ask(session, "message.ack", json!({"receipts": receipts}))?;
        assert_eq!(acked["acked"], json!(receipts));
        self.note_acked(taken.into_iter().map(|(number, _)| number));
        Some(())
    }

    fn receipts(&self) -> impl Iterator<Item = (u64, String)> {
        self.open.iter().filter_map(|(number, stage)| match stage {
            Stage::Taken { receipt } => Some((*number, receipt.clone())),
            Stage::Sent | Stage::AckAsked => None,
        })
    }

    fn note_acked(&mut self, numbers: impl Iterator<Item = u64>) {
        for number in numbers {
            self.open.remove(&number);
            self.acked.insert(number);
            self.acknowledged += 1;
        }
    }

    /// What a message that came says; it has to be one that may come.
    #[track_caller]
    fn delivered(&self, message: &Value) -> u64 {
        let number = message["payload"].as_u64().expect("ours");
        assert!(!self.acked.contains(&number), "{number} was acked and came again: {message}");
        assert!(self.open.contains_key(&number) || self.doubtful.contains(&number), "{message}");
        number
    }

    /// Half of the receipts from before the kill count; the other half comes again, as its session has ended.
    fn take_back(&mut self, home: &Home, session: &mut Session) {
        let receipts: Vec<_> = self.receipts().step_by(2).collect();
        let sent: Vec<_> = receipts.iter().map(|(_, receipt)| receipt).collect();
        if !sent.is_empty() {
            let acked = session.client.call("message.ack", json!({"receipts": sent}));
            assert_eq!(acked["acked"], json!(sent), "receipts of before the kill count");
        }
        self.note_acked(receipts.into_iter().map(|(number, _)| number));
        session.renew(home);
    }
}

fn taken(message: &Value) -> Stage {
    Stage::Taken { receipt: message["receipt"].as_str().expect("a receipt").into() }
}

impl Workload for Messages {
    fn step(&mut self, round: &Round<'_>, session: &mut Session, random: &mut Random) -> Option<()> {
        let taken = self.receipts().count();
        match random.below(4) {
            0 | 1 if self.open.len() < UNREAD_MAX => self.send(round, session, random),
            2 if taken > 0 => self.ack(round, session, 1 + random.below(taken)),
            _ => self.receive(round, session, random),
        }
    }

    fn verify(&mut self, home: &Home, session: &mut Session) -> usize {
        self.take_back(home, session);
        let received = session.client.call("message.receive", json!({"max": 1000}));
        let received = received["messages"].as_array().expect("messages");
        let mut found = BTreeSet::new();
        for message in received {
            assert!(found.insert(self.delivered(message)), "twice: {message}");
        }
        let missing =
            self.open.iter().find(|(number, stage)| **stage != Stage::AckAsked && !found.contains(number));
        assert_eq!(missing, None, "a message that was acknowledged is gone");
        let receipts: Vec<_> = received.iter().map(|message| &message["receipt"]).collect();
        if !receipts.is_empty() {
            session.client.call("message.ack", json!({"receipts": receipts}));
        }
        // What was asked for and did not come has been acked, or was never sent.
        let done: Vec<_> = self.open.keys().copied().chain(found).collect();
        self.acked.extend(done);
        self.open.clear();
        self.doubtful.clear();
        std::mem::take(&mut self.acknowledged)
    }
}
