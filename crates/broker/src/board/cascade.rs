//! What happens to leases when what they are bound to ends: a session, or an agent's stay.
//!
//! Invariant: none of them counts from that moment on. The first ones are taken out of their tables at once, so that an
//! ordinary session leaves nothing behind; the rest in slices, like everything that is due.

use callboard_protocol::AgentName;
use callboard_protocol::revision::Revision;

use crate::board::Board;
use crate::deadlines::Deadline;
use crate::lease::{Cascade, Step};
use crate::now::Now;
use crate::record::{LeavingRecord, Record};
use crate::session::SessionId;

/// How many leases are looked at before anybody else gets the board: below a millisecond.
const AT_ONCE: usize = 256;

impl Board {
    /// Ends the leases that are bound to a session that ended.
    pub(crate) fn end_session_leases(&mut self, now: Now, session: SessionId) {
        let cascade = self.leases.unbind_session(session);
        self.begin_cascade(now, cascade);
    }

    /// Ends the leases that are bound to an agent that leaves, and all of an agent that is removed.
    pub(crate) fn end_agent_leases(&mut self, now: Now, agent: &AgentName, is_removed: bool) {
        let cascade = self.leases.unbind_agent(agent, self.revision, is_removed);
        self.begin_cascade(now, cascade);
        // A restart in between must not bring back what is over: sessions are known to have ended, agents are not.
        if let Some(record) = self.leaving_record(agent) {
            self.record(Record::Leaving(record));
        }
    }

    fn begin_cascade(&mut self, now: Now, cascade: Cascade) {
        for _ in 0..AT_ONCE {
            if !self.take_cascade_step(now, &cascade) {
                return;
            }
        }
        self.deadlines.set(now.monotonic, Deadline::Cascade(cascade));
    }

    /// One step of what is left.
    pub(crate) fn cascade_on(&mut self, now: Now, cascade: Cascade) {
        if self.take_cascade_step(now, &cascade) {
            self.deadlines.set(now.monotonic, Deadline::Cascade(cascade));
        } else if let Cascade::Agent(agent) = cascade {
            self.record(Record::LeavingEnded(agent));
        }
    }

    /// Whether there may be more.
    fn take_cascade_step(&mut self, now: Now, cascade: &Cascade) -> bool {
        match self.leases.next_unbound(cascade) {
            Step::End(token) => self.end_unbound(now, token),
            Step::Other => {}
            Step::Done => return false,
        }
        true
    }

    /// The records of agents that left and whose leases are not all ended yet.
    pub(crate) fn leaving_records(&self) -> Vec<LeavingRecord> {
        self.leases.leaving().filter_map(|(agent, _)| self.leaving_record(agent)).collect()
    }

    fn leaving_record(&self, agent: &AgentName) -> Option<LeavingRecord> {
        let leaving = self.leases.leaving_of(agent)?;
        let (up_to, is_removed) = (leaving.up_to, leaving.is_removed);
        Some(LeavingRecord { agent: agent.clone(), up_to, is_removed })
    }

    /// Takes in an agent that was leaving.
    pub(crate) fn restore_leaving(&mut self, record: &LeavingRecord) {
        self.leases.unbind_agent(&record.agent, record.up_to, record.is_removed);
    }

    /// Takes in that all leases of an agent that was leaving ended.
    pub(crate) fn restore_leaving_ended(&mut self, agent: &AgentName) {
        self.leases.unbind_agent(agent, Revision(0), false);
    }

    /// Goes on with what was ending.
    pub(crate) fn finish_leaving(&mut self, now: Now) {
        let agents: Vec<AgentName> = self.leases.leaving().map(|(agent, _)| agent.clone()).collect();
        for agent in agents {
            self.deadlines.set(now.monotonic, Deadline::Cascade(Cascade::Agent(agent)));
        }
    }
}
