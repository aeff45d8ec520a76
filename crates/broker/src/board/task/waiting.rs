//! `task.wait`: answers as soon as tasks are finished, also when they are already. Whoever waits is told of the state
//! that the tasks are in at that moment, so nothing can happen unseen between a look and a wait.

use callboard_protocol::error::{Error, ErrorKind};
use callboard_protocol::limits::WAIT_TASKS_MAX;
use callboard_protocol::methods::BoardAnswer;
use callboard_protocol::methods::task::{Several, Wait, WaitMode};
use callboard_protocol::revision::TaskId;

use super::no_task;
use crate::board::{Board, Call, Verdict, invalid_params, limit_exceeded};
use crate::now::Now;
use crate::page::ENVELOPE_BYTES;
use crate::task::Task;
use crate::task::waiters::Awaited;
use crate::wait::{WaitId, WaitKind};

impl Board {
    pub(crate) fn task_wait(&mut self, call: &Call, params: Wait) -> Result<Verdict<Several>, Error> {
        let given = params.ids.len();
        if !(1..=WAIT_TASKS_MAX).contains(&given) {
            return Err(invalid_params(
                "ids",
                format!("`ids` has {given} entries: give 1 to {WAIT_TASKS_MAX}"),
            ));
        }
        self.settle_tasks(call.now);
        if let Some(unknown) = params.ids.iter().find(|id| self.tasks.find(**id).is_none()) {
            return Err(no_task(*unknown));
        }
        let awaited = Awaited { ids: params.ids, mode: params.mode.unwrap_or_default() };
        if self.has_ended(&awaited) {
            return self.ended_tasks(call.now, &awaited).map(Verdict::Done);
        }
        let timeout_ms = params.timeout_ms.get();
        if timeout_ms == 0 {
            return Err(not_in_time(0));
        }
        let wait = self.start_wait(call, WaitKind::TaskEnd, timeout_ms)?;
        self.tasks.ends.insert(wait, awaited);
        Ok(Verdict::Waiting)
    }

    /// Whether what is waited for has come; a task that was forgotten was finished.
    fn has_ended(&self, awaited: &Awaited) -> bool {
        let is_finished = |id: &TaskId| self.tasks.find(*id).is_none_or(|task| task.standing.is_finished());
        match awaited.mode {
            WaitMode::All => awaited.ids.iter().all(is_finished),
            WaitMode::Any => awaited.ids.iter().any(is_finished),
        }
    }

    /// Those that are finished, in the order asked for.
    fn ended_tasks(&self, now: Now, awaited: &Awaited) -> Result<Several, Error> {
        let tasks = awaited.ids.iter().filter_map(|id| Some((*id, self.tasks.find(*id)?)));
        let ended: Vec<(TaskId, &Task)> = tasks.filter(|(_, task)| task.standing.is_finished()).collect();
        let max = self.config.limits.frame_bytes;
        let used = ended.iter().map(|(_, task)| task.wire_bytes()).sum::<usize>() + ENVELOPE_BYTES;
        if ended.len() > 1 && used > max {
            let advice = "they are finished, but too long for one answer: task.get gives each";
            return Err(limit_exceeded("frame_bytes", used, max, advice));
        }
        Ok(Several { tasks: ended.iter().filter_map(|(id, _)| self.view_task(now, *id)).collect() })
    }

    /// A task changed: answers those who waited for what it is now.
    pub(super) fn reconsider_task_waits(&mut self, now: Now, id: TaskId) {
        self.reconsider_claims(now, id);
        let waits = self.tasks.ends.of_task(id);
        if waits.is_empty() || self.tasks.find(id).is_some_and(|task| !task.standing.is_finished()) {
            return;
        }
        for wait in waits {
            let Some(awaited) = self.tasks.ends.find(wait).filter(|awaited| self.has_ended(awaited)).cloned()
            else {
                continue;
            };
            self.tasks.ends.remove(wait);
            let answer = self.ended_tasks(now, &awaited);
            self.answer(wait, answer.map(BoardAnswer::TaskWait));
        }
    }

    pub(crate) fn task_wait_ran_out(&mut self, now: Now, id: WaitId) {
        self.tasks.ends.remove(id);
        let waited_ms = self.waits.find(id).map_or(0, |wait| now.monotonic.ms_since(wait.since));
        self.answer(id, Err(not_in_time(waited_ms)));
    }

    /// A waiting `task.wait` is withdrawn (the wait itself is taken out by the caller).
    pub(crate) fn withdraw_task_wait(&mut self, id: WaitId) {
        self.tasks.ends.remove(id);
    }
}

fn not_in_time(waited_ms: u64) -> Error {
    let message =
        format!("waited {waited_ms} ms, and the tasks are not finished: task.get tells how far they are");
    Error::new(ErrorKind::Timeout, message).with("waited_ms", waited_ms)
}
