//! A client that creates tasks, claims and completes them.
//!
//! Invariant: a task whose creation was acknowledged is there; one whose claim was acknowledged is held under the same
//! token; one whose completion was acknowledged is completed for good, and nobody can claim it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::round::{Round, Session, Workload};
use crate::harness::{Home, Random};

/// Tasks that may be open at once.
const OPEN_MAX: usize = 12;
/// Completed tasks of earlier rounds that each round looks at.
const SAMPLE: usize = 10;
const HOUR_MS: u64 = 3_600_000;

/// How far a task is, as far as anybody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Created,
    Claimed { token: u64 },
    CompletionAsked,
}

#[derive(Debug)]
pub struct Tasks {
    tag: &'static str,
    open: BTreeMap<u64, Stage>,
    /// A creation is without an answer.
    may_have_created: bool,
    /// A claim is without an answer.
    may_have_claimed: bool,
    completed: BTreeSet<u64>,
    acknowledged: usize,
}

impl Tasks {
    pub fn new(tag: &'static str) -> Self {
        Self {
            tag,
            open: BTreeMap::new(),
            may_have_created: false,
            may_have_claimed: false,
            completed: BTreeSet::new(),
            acknowledged: 0,
        }
    }

    fn create(&mut self, round: &Round<'_>, session: &mut Session) -> Option<()> {
        self.may_have_created = true;
        let params = json!({"title": "work", "tags": [self.tag]});
        let created = round.ask_for_new(session, "task.create", params, "/task/id")?;
        self.may_have_created = false;
        self.open.insert(id(&created), Stage::Created);
        self.acknowledged += 1;
        Some(())
    }

    fn claim(&mut self, round: &Round<'_>, session: &mut Session) -> Option<()> {
        self.may_have_claimed = true;
        let claimed = round.ask_for_new(session, "task.claim", self.any(), "/token")?;
        self.may_have_claimed = false;
        if !claimed["task"].is_null() {
            let before = self.open.insert(id(&claimed), Stage::Claimed { token: token(&claimed) });
            assert_eq!(before, Some(Stage::Created), "{claimed}");
            self.acknowledged += 1;
        }
        Some(())
    }

    fn complete(&mut self, round: &Round<'_>, session: &mut Session, task: u64, token: u64) -> Option<()> {
        self.open.insert(task, Stage::CompletionAsked);
        let completed = round.ask(session, "task.complete", json!({"token": token, "result": task}))?;
        assert_eq!(completed["task"]["status"], "completed");
        self.open.remove(&task);
        self.completed.insert(task);
        self.acknowledged += 1;
        Some(())
    }

    /// A claim of whatever is ready.
    fn any(&self) -> Value {
        json!({"tags": [self.tag], "bind": "agent", "lease_ms": HOUR_MS})
    }

    fn claimed(&self) -> Option<(u64, u64)> {
        self.open.iter().find_map(|(task, stage)| match stage {
            Stage::Claimed { token } => Some((*task, *token)),
            Stage::Created | Stage::CompletionAsked => None,
        })
    }

    /// Whether a task that is not completed for sure is where it was left.
    #[track_caller]
    fn is_still_open(&mut self, session: &mut Session, task: u64, stage: Stage) -> bool {
        let found = session.client.call("task.get", json!({"id": task}))["task"].take();
        let (status, assignee) = (found["status"].as_str().expect("a status"), &found["assignee"]);
        match stage {
            Stage::Created if status == "in_progress" => {
                assert!(std::mem::take(&mut self.may_have_claimed), "nobody was granted it: {found}");
            }
            Stage::Created => assert_eq!(status, "pending", "{found}"),
            Stage::CompletionAsked if status == "completed" => return false,
            Stage::Claimed { .. } | Stage::CompletionAsked => {
                assert_eq!((status, assignee), ("in_progress", &json!(session.agent)), "{found}");
            }
        }
        true
    }

    /// Claims a task by its id, and completes it.
    fn finish(&mut self, session: &mut Session, task: u64, stage: Stage) {
        let params = json!({"id": task, "bind": "agent", "lease_ms": HOUR_MS});
        let claimed = session.client.call("task.claim", params);
        if let Stage::Claimed { token: before } = stage {
            assert_eq!(token(&claimed), before, "the claim of before the kill is the same one");
        }
        session.client.call("task.complete", json!({"token": token(&claimed)}));
    }

    #[track_caller]
    fn expect_completed(session: &mut Session, task: u64) {
        let refused = session.client.refused("not_ready", "task.claim", json!({"id": task}));
        assert_eq!(refused["status"], "completed", "{task} was completed: {refused}");
    }
}

fn id(result: &Value) -> u64 {
    result["task"]["id"].as_u64().expect("an id")
}

fn token(result: &Value) -> u64 {
    result["token"].as_u64().expect("a token")
}

impl Workload for Tasks {
    fn step(&mut self, round: &Round<'_>, session: &mut Session, random: &mut Random) -> Option<()> {
        match (random.below(3), self.claimed()) {
            (0, _) if self.open.len() < OPEN_MAX => self.create(round, session),
            (1, Some((task, token))) => self.complete(round, session, task, token),
            _ => self.claim(round, session),
        }
    }

    fn verify(&mut self, _home: &Home, session: &mut Session) -> usize {
        for task in self.completed.iter().rev().take(self.acknowledged + SAMPLE) {
            Self::expect_completed(session, *task);
        }
        for (task, stage) in std::mem::take(&mut self.open) {
            if self.is_still_open(session, task, stage) {
                self.finish(session, task, stage);
            }
            self.completed.insert(task);
        }
        let rest = session.client.call("task.claim", self.any());
        if !rest["task"].is_null() {
            assert!(self.may_have_created && !self.completed.contains(&id(&rest)), "{rest}");
            session.client.call("task.complete", json!({"token": rest["token"]}));
            self.completed.insert(id(&rest));
            assert_eq!(session.client.call("task.claim", self.any()), json!({"task": null}));
        }
        (self.may_have_created, self.may_have_claimed) = (false, false);
        std::mem::take(&mut self.acknowledged)
    }

    fn verify_all(&mut self, session: &mut Session) {
        for task in &self.completed {
            Self::expect_completed(session, *task);
        }
    }
}
