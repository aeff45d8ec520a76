//! `task.create` and `task.create_many`: all tasks of a call or none.
//!
//! Everything is checked before anything changes. The new tasks get consecutive ids in the order given, so that each
//! may name any other; where each stands is settled among them before anybody hears of them.

use std::collections::{BTreeMap, BTreeSet};

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::limits::{
    CREATE_MANY_MAX, DEDUPE_MS, DEPENDENCIES_MAX, LABELS_MAX, TASK_ATTEMPTS_DEFAULT, TASK_ATTEMPTS_MAX,
    TASK_BACKOFF_MS_DEFAULT, TEXT_BYTES_MAX, TTL_MS_MAX,
};
use callboard_protocol::methods::task::{Create, CreateMany, Created, Draft, Several, TaskRef};
use callboard_protocol::names::Label;
use callboard_protocol::params::WaitMs;
use callboard_protocol::revision::{Revision, TaskId};

use super::{Touched, no_task, unblocked};
use crate::board::{Board, Call, invalid_params, limit_exceeded};
use crate::now::Now;
use crate::page::ENVELOPE_BYTES;
use crate::task::{Standing, Task, graph};

/// What a draft comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    /// A task that is there already.
    Existing(TaskId),
    /// The new task of the draft at this place.
    New(usize),
}

/// Drafts with what they name found.
struct Plan {
    /// What each draft comes to.
    targets: Vec<Target>,
    /// What each draft depends on, each once.
    depends_on: Vec<Vec<Target>>,
    /// What each draft is a part of.
    parents: Vec<Option<Target>>,
}

impl Plan {
    /// Which ones of the call each draft points to.
    fn edges<'a>(&self, pointed_to: impl Fn(usize) -> &'a [Target]) -> Vec<Vec<usize>> {
        let within = |target: &Target| match target {
            Target::New(place) => Some(*place),
            Target::Existing(_) => None,
        };
        (0..self.targets.len()).map(|place| pointed_to(place).iter().filter_map(within).collect()).collect()
    }

    /// The tasks that the answer shows or a new one depends on: none of them makes room for the others.
    fn spared(&self) -> BTreeSet<TaskId> {
        let existing = |target: &Target| match target {
            Target::Existing(id) => Some(*id),
            Target::New(_) => None,
        };
        self.targets.iter().chain(self.depends_on.iter().flatten()).filter_map(existing).collect()
    }
}

impl Board {
    pub(crate) fn task_create(&mut self, call: &Call, params: Create) -> Result<Created, Error> {
        let drafts = [Draft::from(params)];
        let (ids, created) = self.create_tasks(call, &drafts, "")?;
        let id = ids.first().copied().unwrap_or_default();
        let task = self.view_task(call.now, id).ok_or_else(|| no_task(id))?;
        self.hand_out(call.now);
        Ok(Created { task, duplicate: (created == 0).then_some(true) })
    }

    pub(crate) fn task_create_many(&mut self, call: &Call, params: &CreateMany) -> Result<Several, Error> {
        let given = params.tasks.len();
        if !(1..=CREATE_MANY_MAX).contains(&given) {
            return Err(invalid_params(
                "tasks",
                format!("`tasks` has {given} entries: give 1 to {CREATE_MANY_MAX}"),
            ));
        }
        let (ids, _) = self.create_tasks(call, &params.tasks, "tasks")?;
        let tasks = ids.iter().filter_map(|id| self.view_task(call.now, *id)).collect();
        self.hand_out(call.now);
        Ok(Several { tasks })
    }

    /// Creates what is not there yet; gives the task of each draft, and how many are new.
    fn create_tasks(
        &mut self,
        call: &Call,
        drafts: &[Draft],
        list: &str,
    ) -> Result<(Vec<TaskId>, usize), Error> {
        for (place, draft) in drafts.iter().enumerate() {
            let path = |member: &str| match list {
                "" => member.to_owned(),
                list => format!("{list}[{place}].{member}"),
            };
            check_draft(draft, &path)?;
        }
        self.settle_tasks(call.now);
        let plan = self.plan_tasks(call, drafts)?;
        check_cycle(drafts, &plan.edges(|place| &plan.depends_on[place]), "depend on each other")?;
        check_cycle(drafts, &plan.edges(|place| plan.parents[place].as_slice()), "are parts of each other")?;
        let new: Vec<usize> =
            (0..drafts.len()).filter(|place| plan.targets[*place] == Target::New(*place)).collect();
        let spared = plan.spared();
        if !new.is_empty() {
            self.check_memory()?;
            self.check_room(&spared, new.len())?;
        }
        let ids: BTreeMap<usize, TaskId> =
            new.iter().zip(self.revision.0 + 1..).map(|(place, id)| (*place, Revision(id))).collect();
        let id_of = |target: &Target| match target {
            Target::Existing(id) => *id,
            Target::New(place) => ids.get(place).copied().unwrap_or_default(),
        };
        let tasks: Vec<(TaskId, Task)> = new
            .iter()
            .map(|place| {
                let depends_on = plan.depends_on[*place].iter().map(id_of).collect();
                let parent = plan.parents[*place].as_ref().map(id_of);
                (id_of(&Target::New(*place)), new_task(call, &drafts[*place], depends_on, parent))
            })
            .collect();
        let answer: Vec<TaskId> = plan.targets.iter().map(id_of).collect();
        self.check_answer(&answer, &tasks)?;
        self.insert_tasks(call.now, tasks, &spared);
        Ok((answer, new.len()))
    }

    /// Finds what the drafts name.
    fn plan_tasks(&self, call: &Call, drafts: &[Draft]) -> Result<Plan, Error> {
        let mut refs: BTreeMap<&Label, usize> = BTreeMap::new();
        let mut keys: BTreeMap<&Label, usize> = BTreeMap::new();
        let mut targets = Vec::new();
        for (place, draft) in drafts.iter().enumerate() {
            if let Some(name) = &draft.r#ref
                && refs.insert(name, place).is_some()
            {
                let member = format!("tasks[{place}].ref");
                let message = format!("`{member}` is {name}, like one before: give each task its own");
                return Err(invalid_params("tasks", message).with("member", member));
            }
            let first = draft.dedupe_key.as_ref().and_then(|key| self.first_task(call, key));
            let twin = draft.dedupe_key.as_ref().map_or(place, |key| *keys.entry(key).or_insert(place));
            targets.push(first.map_or(Target::New(twin), Target::Existing));
        }
        let find = |reference: &TaskRef| match reference {
            TaskRef::Id(id) => self.tasks.find(*id).map(|_| Target::Existing(*id)),
            TaskRef::Ref(name) => refs.get(name).map(|place| targets[*place]),
        };
        let mut unknown: BTreeSet<&TaskRef> = BTreeSet::new();
        let mut depends_on = Vec::new();
        let mut parents = Vec::new();
        for draft in drafts {
            let mut found = BTreeSet::new();
            for reference in draft.depends_on.iter().flatten() {
                match find(reference) {
                    Some(target) => _ = found.insert(target),
                    None => _ = unknown.insert(reference),
                }
            }
            depends_on.push(found.into_iter().collect());
            parents.push(draft.parent.as_ref().and_then(find));
            if let Some(parent) = draft.parent.as_ref().filter(|parent| find(parent).is_none()) {
                unknown.insert(parent);
            }
        }
        if unknown.is_empty() {
            return Ok(Plan { targets, depends_on, parents });
        }
        Err(unknown_dependency(&unknown))
    }

    /// The task that this key of the caller's stands for already.
    fn first_task(&self, call: &Call, key: &Label) -> Option<TaskId> {
        let (id, due) = self.tasks.dedupes.get(&(call.agent.clone(), key.clone()))?;
        (*due > call.now.monotonic).then_some(*id)
    }

    /// Refuses tasks for which there is no room, even if finished ones went that nothing needs.
    fn check_room(&self, spared: &BTreeSet<TaskId>, wanted: usize) -> Result<(), Error> {
        let max = self.config.limits.tasks;
        let over = (self.tasks.len() + wanted).saturating_sub(max);
        if over == 0 || over <= self.tasks.removable(spared) {
            return Ok(());
        }
        Err(limit_exceeded("tasks", self.tasks.len(), max, "finish or cancel tasks, or put several into one"))
    }

    /// Refuses tasks that no frame could give back.
    fn check_answer(&self, ids: &[TaskId], new: &[(TaskId, Task)]) -> Result<(), Error> {
        let max = self.config.limits.frame_bytes;
        let there = ids.iter().filter_map(|id| self.tasks.find(*id));
        let used: usize = there.chain(new.iter().map(|(_, task)| task)).map(Task::wire_bytes).sum();
        if used + ENVELOPE_BYTES <= max {
            return Ok(());
        }
        Err(limit_exceeded(
            "frame_bytes",
            used,
            max,
            "the answer would be too long: create fewer tasks at once",
        ))
    }

    fn insert_tasks(&mut self, now: Now, tasks: Vec<(TaskId, Task)>, spared: &BTreeSet<TaskId>) {
        let ids: Vec<TaskId> = tasks.iter().map(|(id, _)| *id).collect();
        for (id, mut task) in tasks {
            self.next_revision();
            if task.depends_on.is_empty() {
                task.standing = unblocked(now, task.not_before, id);
            }
            if let Some(key) = &task.dedupe_key {
                let due = now.monotonic.plus_ms(DEDUPE_MS);
                self.tasks.dedupes.insert((task.created_by.clone(), key.clone()), (id, due));
                self.deadlines.set(due, crate::deadlines::Deadline::ForgetTaskDedupe(id));
            }
            self.tasks.insert(id, task);
        }
        let mut left: Vec<TaskId> = ids.clone();
        while let Some(id) = left.pop() {
            if self.unblock(now, id, id).is_some_and(Standing::is_finished) {
                left.extend(self.tasks.dependents(id, TaskId::default()));
            }
        }
        while self.tasks.len() > self.config.limits.tasks
            && let Some(oldest) = self.tasks.oldest_finished(spared)
        {
            self.forget_task(oldest);
        }
        for id in ids {
            self.record_task(now, id, Touched::All);
            let creator = self.tasks.find(id).and_then(|task| task.created_by.clone());
            self.tell_task(now, id, "created", creator.as_ref());
        }
    }

    /// A dedupe key is forgotten.
    pub(crate) fn forget_task_dedupe(&mut self, id: TaskId) {
        let Some(task) = self.tasks.find(id) else { return };
        let Some(key) = task.dedupe_key.clone() else { return };
        let place = (task.created_by.clone(), key);
        if self.tasks.dedupes.get(&place).is_some_and(|(first, _)| *first == id) {
            self.tasks.dedupes.remove(&place);
        }
    }
}

fn new_task(call: &Call, draft: &Draft, depends_on: Box<[TaskId]>, parent: Option<TaskId>) -> Task {
    let tags: BTreeSet<Label> = draft.tags.iter().flatten().cloned().collect();
    let delay_ms = draft.delay_ms.filter(|delay_ms| *delay_ms > 0);
    Task {
        title: draft.title.clone(),
        description: draft.description.clone(),
        payload: draft.payload.clone(),
        priority: draft.priority.unwrap_or_default(),
        tags: tags.into_iter().collect(),
        role: draft.role.clone(),
        depends_on,
        parent,
        max_attempts: draft.max_attempts.unwrap_or(TASK_ATTEMPTS_DEFAULT),
        backoff_ms: draft.backoff_ms.map_or(TASK_BACKOFF_MS_DEFAULT, WaitMs::get),
        on_dependency_failure: draft.on_dependency_failure.unwrap_or_default(),
        review: draft.review.unwrap_or(false),
        created_by: call.agent.clone(),
        created_at: call.now.unix_ms,
        dedupe_key: draft.dedupe_key.clone(),
        not_before: delay_ms.map(|delay_ms| call.now.monotonic.plus_ms(delay_ms)),
        updated_at: call.now.unix_ms,
        ..Task::blocked()
    }
}

fn check_draft(draft: &Draft, path: &dyn Fn(&str) -> String) -> Result<(), Error> {
    let refuse = |member: &str, told: String| {
        let member = path(member);
        Err(Error::new(ErrorKind::InvalidParams, format!("`{member}` {told}")).with("member", member))
    };
    if draft.title.trim().is_empty() {
        return refuse("title", "is empty: say in a line what is to be done".to_owned());
    }
    for (member, text) in [("title", Some(&draft.title)), ("description", draft.description.as_ref())] {
        if let Some(used) = text.map(String::len).filter(|used| *used > TEXT_BYTES_MAX) {
            return refuse(
                member,
                format!("has {used} bytes, at most {TEXT_BYTES_MAX} are allowed: use `payload`"),
            );
        }
    }
    let lists = [
        ("tags", draft.tags.as_ref().map_or(0, Vec::len), LABELS_MAX),
        ("depends_on", draft.depends_on.as_ref().map_or(0, Vec::len), DEPENDENCIES_MAX),
    ];
    for (member, used, max) in lists {
        if used > max {
            return refuse(member, format!("has {used} entries, at most {max} are allowed"));
        }
    }
    if draft.delay_ms.is_some_and(|delay_ms| delay_ms > TTL_MS_MAX) {
        return refuse("delay_ms", format!("is out of range: give 0 to {TTL_MS_MAX}"));
    }
    if draft.max_attempts.is_some_and(|max| !(1..=TASK_ATTEMPTS_MAX).contains(&max)) {
        return refuse("max_attempts", format!("is out of range: give 1 to {TASK_ATTEMPTS_MAX}"));
    }
    Ok(())
}

fn check_cycle(drafts: &[Draft], edges: &[Vec<usize>], what: &str) -> Result<(), Error> {
    let Some(cycle) = graph::cycle(edges) else {
        return Ok(());
    };
    let names: Vec<&Label> = cycle.iter().filter_map(|place| drafts[*place].r#ref.as_ref()).collect();
    let path: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    let message = format!("nothing was created: {} {what}; leave one of these out", path.join(", "));
    Err(Error::new(ErrorKind::DependencyCycle, message).with("cycle", names))
}

fn unknown_dependency(unknown: &BTreeSet<&TaskRef>) -> Error {
    let message = format!(
        "nothing was created: {} of the tasks named in `depends_on` or `parent` are not there; task.list shows what is",
        unknown.len()
    );
    Error::new(ErrorKind::UnknownDependency, message).with("ids", unknown)
}
