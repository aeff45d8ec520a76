//! What happens because time passes: one place that works off the deadlines, in slices.

use callboard_protocol::error::Error;
use callboard_protocol::event::{DeadlineSoon, Event};
use callboard_protocol::methods::message::Stale;
use callboard_protocol::revision::Token;

use crate::board::Board;
use crate::board::lock_grants::Ending;
use crate::deadlines::Deadline;
use crate::lease::Leased;
use crate::now::Now;
use crate::wait::{WaitId, WaitKind};

impl Board {
    /// Works off at most `budget` deadlines that are due. While [`Board::next_due`] is not after `now`, there is more
    /// to do; nothing that is overdue counts as live meanwhile.
    pub fn advance(&mut self, now: Now, budget: usize) {
        for _ in 0..budget {
            let is_before = |due| self.deadlines.next().is_none_or(|next| due < next);
            if self.tasks.next_due().is_some_and(|due| due <= now.monotonic && is_before(due)) {
                self.tasks_due(now);
            } else if let Some(deadline) = self.deadlines.take_due(now.monotonic) {
                self.meet(now, deadline);
            } else {
                return;
            }
        }
    }

    /// Works off all that is due, where a limit is reached and what is over must not count.
    pub(crate) fn make_room(&mut self, now: Now) {
        self.advance(now, usize::MAX);
    }

    fn meet(&mut self, now: Now, deadline: Deadline) {
        match deadline {
            Deadline::Wait(id) => self.wait_ran_out(now, id),
            Deadline::Lease(token) => self.lease_ran_out(now, token),
            Deadline::LeaseSoon(token) => self.lease_ends_soon(now, token),
            Deadline::Grace(session) => self.end_session(now, session),
            Deadline::Presence(agent) => self.presence_ran_out(now, &agent),
            Deadline::ForgetAgent(agent) => self.forget_agent(now, &agent),
            Deadline::Key(key) => self.expire_key(now, &key),
            Deadline::Ready(agent, id) => self.delivery_ready(now, &agent, id),
            Deadline::Message(id) => self.message_ran_out(now, id),
            Deadline::ForgetMessage(id) => self.forget_message(id),
            Deadline::ForgetDedupe(id) => self.forget_dedupe(id),
            Deadline::Cascade(cascade) => self.cascade_on(now, cascade),
            Deadline::Feed(session) => self.feed_takers(now, session),
            Deadline::SpreadTasks => self.spread_on(now),
            Deadline::ForgetTaskDedupe(id) => self.forget_task_dedupe(id),
            Deadline::Vote(id) => self.vote_due(now, id),
            Deadline::Limiter(name) => self.serve_limiter(now, &name),
        }
    }

    fn wait_ran_out(&mut self, now: Now, id: WaitId) {
        match self.waits.find(id).map(|wait| wait.kind) {
            Some(WaitKind::Lock) => self.lock_wait_ran_out(now, id),
            Some(WaitKind::Receive) => self.receive_ran_out(id),
            Some(WaitKind::Request) => self.request_ran_out(now, id),
            Some(WaitKind::Claim) => self.claim_ran_out(id),
            Some(WaitKind::TaskEnd) => self.task_wait_ran_out(now, id),
            Some(WaitKind::Limiter) => self.limiter_wait_ran_out(now, id),
            None => {}
        }
    }

    /// Withdraws a wait whose connection is gone. Nothing has changed but the queue.
    pub(crate) fn withdraw_wait(&mut self, now: Now, id: WaitId) {
        self.forget_wait(now, id);
        self.end_wait(id);
    }

    /// Withdraws a wait and answers it with an error.
    pub(crate) fn refuse_wait(&mut self, now: Now, id: WaitId, error: Error) {
        self.forget_wait(now, id);
        self.answer(id, Err(error));
    }

    fn forget_wait(&mut self, now: Now, id: WaitId) {
        match self.waits.find(id).map(|wait| wait.kind) {
            Some(WaitKind::Lock) => self.withdraw_lock_wait(now, id),
            Some(WaitKind::Receive) => self.withdraw_receive(id),
            Some(WaitKind::Request) => self.withdraw_request(id),
            Some(WaitKind::Claim) => self.withdraw_claim(id),
            Some(WaitKind::TaskEnd) => self.withdraw_task_wait(id),
            Some(WaitKind::Limiter) => self.withdraw_limiter_wait(id),
            None => {}
        }
    }

    fn lease_ran_out(&mut self, now: Now, token: Token) {
        match self.leases.find(token).map(|lease| lease.of) {
            Some(Leased::Lock) => self.end_lock(now, token, lock_expired()),
            Some(Leased::Message(_)) => self.delivery_lapsed(now, token),
            Some(Leased::Task(_)) => self.tasks_due(now),
            None => {}
        }
    }

    fn lease_ends_soon(&mut self, now: Now, token: Token) {
        let Some(lease) = self.leases.note_soon(&mut self.deadlines, token) else {
            return;
        };
        let Some(due) = lease.due.filter(|due| *due > now.monotonic) else {
            return;
        };
        let id = match lease.of {
            Leased::Lock => None,
            Leased::Message(id) | Leased::Task(id) => Some(id),
        };
        let event = DeadlineSoon {
            what: lease.of.kind(),
            id,
            token: id.is_none().then_some(token),
            expires_at: now.unix_of(due),
        };
        let agent = lease.agent.clone();
        self.sessions.notify(&mut self.effects, &agent, &event.body());
    }

    /// Ends a lease because what it was bound to ended.
    pub(crate) fn end_unbound(&mut self, now: Now, token: Token) {
        match self.leases.find(token).map(|lease| lease.of) {
            Some(Leased::Lock) => self.end_lock(now, token, Ending::quietly(Stale::Expired)),
            Some(Leased::Message(_)) => self.delivery_lapsed(now, token),
            Some(Leased::Task(_)) => self.end_claim(now, token),
            None => {}
        }
    }
}

fn lock_expired() -> Ending {
    Ending::lost(Stale::Expired, callboard_protocol::event::LostWhy::Expired)
}
