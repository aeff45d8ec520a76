//! A list of tasks, and what commands on it come to: no index, no deadline, everything looked through each time.

use std::collections::{BTreeMap, BTreeSet};

use callboard_broker::task::backoff::backoff_ms;
use callboard_protocol::revision::Revision;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Status {
    Blocked,
    Delayed {
        due: u64,
    },
    Pending,
    /// Under the grant of this number.
    InProgress {
        grant: usize,
    },
    PendingReview,
    Completed,
    Failed,
    Cancelled,
}

/// A task.
#[derive(Debug, Clone)]
pub struct Task {
    pub priority: usize,
    pub tags: Vec<&'static str>,
    pub has_role: bool,
    pub depends_on: Vec<u64>,
    pub runs_anyway: bool,
    pub review: bool,
    pub max_attempts: u32,
    pub backoff_ms: u64,
    pub not_before: Option<u64>,
    pub status: Status,
    pub by_dependency: bool,
    pub attempts: u32,
    pub releases: u32,
    pub assignee: Option<usize>,
    pub turn: u64,
}

impl Task {
    pub fn is_finished(&self) -> bool {
        matches!(self.status, Status::Completed | Status::Failed | Status::Cancelled)
    }
}

/// A claim that succeeded.
#[derive(Debug, Clone)]
pub struct Grant {
    pub task: u64,
    pub session: usize,
    pub due: u64,
    pub token: u64,
}

/// A claim that waits.
#[derive(Debug, Clone)]
pub struct Waiter {
    pub request: i64,
    pub session: usize,
    pub tags: Vec<&'static str>,
    pub lease_ms: u64,
    pub due: u64,
}

/// See the module. Sessions are numbers; session 1 is the agent 1, the others are the agent 0, which has the role.
#[derive(Debug, Default)]
pub struct Model {
    pub now: u64,
    pub tasks: BTreeMap<u64, Task>,
    pub grants: Vec<Grant>,
    pub waiters: Vec<Waiter>,
    /// What waiting claims must have been answered since it was last looked at: the grant, or nothing.
    pub answers: BTreeMap<i64, Option<usize>>,
    fresh: BTreeSet<u64>,
    turns: u64,
}

/// For whom a session acts.
pub fn agent_of(session: usize) -> usize {
    usize::from(session == 1)
}

impl Model {
    fn task(&mut self, id: u64) -> &mut Task {
        self.tasks.get_mut(&id).unwrap()
    }

    fn set_ready(&mut self, id: u64) {
        let due = self.tasks[&id].not_before.filter(|due| *due > self.now);
        self.turns += 1;
        let turn = self.turns;
        let task = self.task(id);
        match due {
            Some(due) => task.status = Status::Delayed { due },
            None => {
                task.status = Status::Pending;
                task.turn = turn;
                self.fresh.insert(id);
            }
        }
    }

    fn failed_dependency(&self, id: u64) -> bool {
        let task = &self.tasks[&id];
        let has_failed = |id: &u64| matches!(self.tasks[id].status, Status::Failed | Status::Cancelled);
        !task.runs_anyway && task.depends_on.iter().any(has_failed)
    }

    fn has_open_dependency(&self, id: u64) -> bool {
        self.tasks[&id].depends_on.iter().any(|id| !self.tasks[id].is_finished())
    }

    /// Whether it failed.
    fn unblock(&mut self, id: u64) -> bool {
        if self.tasks[&id].status != Status::Blocked {
            return false;
        }
        if self.failed_dependency(id) {
            let task = self.task(id);
            task.status = Status::Failed;
            task.by_dependency = true;
            return true;
        }
        if !self.has_open_dependency(id) {
            self.set_ready(id);
        }
        false
    }

    fn dependents(&self, id: u64) -> Vec<u64> {
        let tasks = self.tasks.iter().filter(|(_, task)| task.depends_on.contains(&id));
        tasks.map(|(id, _)| *id).collect()
    }

    fn propagate(&mut self, id: u64) {
        let mut left = vec![id];
        while let Some(id) = left.pop() {
            if self.tasks[&id].is_finished() {
                for dependent in self.dependents(id) {
                    if self.unblock(dependent) {
                        left.push(dependent);
                    }
                }
            }
        }
    }

    /// New tasks, all blocked as yet.
    pub fn create(&mut self, tasks: Vec<(u64, Task)>) {
        let ids: Vec<u64> = tasks.iter().map(|(id, _)| *id).collect();
        self.tasks.extend(tasks);
        // Whatever fails, fails first; who is ready then is so in the order of creation.
        while ids.iter().any(|id| self.tasks[id].status == Status::Blocked && self.failed_dependency(*id)) {
            for id in &ids {
                if self.failed_dependency(*id) {
                    self.unblock(*id);
                }
            }
        }
        for id in &ids {
            self.unblock(*id);
        }
        self.hand_out();
    }

    fn is_for(&self, id: u64, session: usize, tags: &[&'static str]) -> bool {
        let task = &self.tasks[&id];
        (!task.has_role || agent_of(session) == 0) && tags.iter().all(|tag| task.tags.contains(tag))
    }

    fn grant(&mut self, id: u64, session: usize, lease_ms: u64) -> usize {
        let grant = self.grants.len();
        self.grants.push(Grant { task: id, session, due: self.now + lease_ms, token: 0 });
        let task = self.task(id);
        task.status = Status::InProgress { grant };
        task.attempts += 1;
        task.assignee = Some(agent_of(session));
        grant
    }

    /// The place of a ready task: what is smaller goes first.
    fn place(&self, id: u64) -> (usize, u64) {
        (4 - self.tasks[&id].priority, self.tasks[&id].turn)
    }

    /// The grant that a claim gets at once.
    pub fn claim(&mut self, session: usize, tags: &[&'static str], lease_ms: u64) -> Option<usize> {
        let ready = self.tasks.iter().filter(|(_, task)| task.status == Status::Pending).map(|(id, _)| *id);
        let own = ready.filter(|id| self.is_for(*id, session, tags));
        let id = own.min_by_key(|id| self.place(*id))?;
        Some(self.grant(id, session, lease_ms))
    }

    fn hand_out(&mut self) {
        let mut fresh: Vec<u64> = std::mem::take(&mut self.fresh).into_iter().collect();
        fresh.sort_by_key(|id| self.place(*id));
        for id in fresh {
            let now = self.now;
            let wants = |waiter: &Waiter| waiter.due > now && self.is_for(id, waiter.session, &waiter.tags);
            let Some(at) = self.waiters.iter().position(wants) else { continue };
            let waiter = self.waiters.remove(at);
            let grant = self.grant(id, waiter.session, waiter.lease_ms);
            self.answers.insert(waiter.request, Some(grant));
        }
    }

    fn fail(&mut self, id: u64, is_over: bool) {
        let now = self.now;
        let task = self.task(id);
        if is_over || task.attempts >= task.max_attempts {
            task.status = Status::Failed;
            self.propagate(id);
        } else {
            task.not_before = Some(now + backoff_ms(task.backoff_ms, task.attempts, Revision(id)));
            task.assignee = None;
            self.set_ready(id);
        }
    }

    /// The task under a grant that still counts.
    pub fn held(&self, grant: usize) -> Option<u64> {
        let id = self.grants[grant].task;
        (self.tasks[&id].status == Status::InProgress { grant }).then_some(id)
    }

    pub fn complete(&mut self, id: u64) {
        let task = self.task(id);
        task.status = if task.review { Status::PendingReview } else { Status::Completed };
        task.releases = 0;
        self.propagate(id);
        self.hand_out();
    }

    pub fn fail_attempt(&mut self, id: u64, is_over: bool) {
        self.fail(id, is_over);
        self.hand_out();
    }

    pub fn release(&mut self, id: u64) {
        let now = self.now;
        let task = self.task(id);
        task.attempts -= 1;
        task.releases += 1;
        let thrashed = task.releases.saturating_sub(3);
        let base_ms = task.backoff_ms.max(1000);
        task.not_before = (thrashed > 0).then(|| now + backoff_ms(base_ms, thrashed, Revision(id)));
        task.assignee = None;
        self.set_ready(id);
        self.hand_out();
    }

    pub fn review(&mut self, id: u64, approve: bool) {
        let task = self.task(id);
        if approve {
            task.status = Status::Completed;
            self.propagate(id);
        } else {
            task.attempts = 0;
            task.assignee = None;
            task.not_before = None;
            self.set_ready(id);
        }
        self.hand_out();
    }

    pub fn cancel(&mut self, id: u64) {
        self.task(id).status = Status::Cancelled;
        self.propagate(id);
        self.hand_out();
    }

    /// The error that a retry comes to.
    pub fn retry(&mut self, id: u64) -> Option<&'static str> {
        if !matches!(self.tasks[&id].status, Status::Failed | Status::Cancelled) || self.failed_dependency(id)
        {
            return Some("not_ready");
        }
        let mut left = vec![id];
        // Only who is asked for by its id need not rest.
        self.task(id).not_before = None;
        while let Some(id) = left.pop() {
            let task = self.task(id);
            (task.status, task.by_dependency) = (Status::Blocked, false);
            (task.attempts, task.releases, task.assignee) = (0, 0, None);
            self.unblock(id);
            let dependents = self.dependents(id);
            let revived = |id: &u64| self.tasks[id].by_dependency && !self.failed_dependency(*id);
            left.extend(dependents.into_iter().filter(revived));
        }
        self.hand_out();
        None
    }

    /// A session is over: its waiting claims are gone, what it held lapses.
    pub fn close(&mut self, session: usize) {
        self.waiters.retain(|waiter| waiter.session != session);
        for grant in 0..self.grants.len() {
            if let Some(id) = self.held(grant).filter(|_| self.grants[grant].session == session) {
                self.fail(id, false);
                self.hand_out();
            }
        }
    }

    fn due(&self, id: u64) -> Option<u64> {
        match self.tasks[&id].status {
            Status::Delayed { due } => Some(due),
            Status::InProgress { grant } => Some(self.grants[grant].due),
            _ => None,
        }
    }

    /// Lets time pass, instant by instant.
    pub fn tick(&mut self, ms: u64) {
        let until = self.now + ms;
        loop {
            let of_tasks = self.tasks.keys().filter_map(|id| self.due(*id));
            let of_waits = self.waiters.iter().map(|waiter| waiter.due);
            let Some(next) = of_tasks.chain(of_waits).min().filter(|next| *next <= until) else {
                break;
            };
            self.now = self.now.max(next);
            let over = self.waiters.iter().filter(|waiter| waiter.due <= self.now);
            self.answers.extend(over.map(|waiter| (waiter.request, None)));
            self.waiters.retain(|waiter| waiter.due > self.now);
            while let Some((due, id)) = self.tasks.keys().filter_map(|id| Some((self.due(*id)?, *id))).min()
                && due <= self.now
            {
                if matches!(self.tasks[&id].status, Status::Delayed { .. }) {
                    self.task(id).not_before = None;
                    self.set_ready(id);
                } else {
                    self.fail(id, false);
                }
            }
            self.hand_out();
        }
        self.now = until;
    }
}
