//! What a board holds, in numbers; and emptying it.

use callboard_protocol::Key;
use callboard_protocol::event::LostWhy;
use callboard_protocol::methods::message::Stale;
use callboard_protocol::methods::server::InboxStats;
use callboard_protocol::methods::task::Counts;
use callboard_protocol::names::AgentName;
use callboard_protocol::revision::Revision;

use crate::board::Board;
use crate::board::lock_grants::Ending;
use crate::inbox::queue::Inbox;
use crate::now::Now;

/// What a board holds, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Keys.
    pub keys: usize,
    /// Agents known.
    pub agents: usize,
    /// Agents live.
    pub live: usize,
    /// Locks held.
    pub locks: usize,
    /// Lock requests that wait.
    pub waiters: usize,
    /// Tasks by status.
    pub tasks: Counts,
    /// Inboxes.
    pub inbox: InboxStats,
}

impl Board {
    /// What the board holds.
    #[must_use]
    pub fn summary(&self, now: Now) -> Summary {
        Summary {
            keys: self.keyspace.len(),
            agents: self.agents.len(),
            live: self.agents.live(),
            locks: self.lock_grants.len(),
            waiters: self.locks.waiter_count(),
            tasks: self.tasks.counts(),
            inbox: self.inbox_stats(now),
        }
    }

    fn inbox_stats(&self, now: Now) -> InboxStats {
        let mut stats = InboxStats::default();
        let mut oldest: Option<u64> = None;
        for name in self.inboxes.names() {
            let counts = self.inboxes.counts(name);
            stats.queued += counts.queued;
            stats.leased += counts.leased;
            stats.dead += counts.dead;
            let id = self.inboxes.inbox(name).and_then(Inbox::oldest_queued);
            let sent_at = id.and_then(|id| self.inboxes.find(id)).map(|stored| stored.header.sent_at);
            oldest = oldest.into_iter().chain(sent_at).min();
        }
        stats.oldest_ms = oldest.map(|sent_at| now.unix_ms.saturating_sub(sent_at));
        stats
    }

    /// `namespace.clear`: everything goes but the revision counter and the sessions, with their agents. Gives how many
    /// keys, locks, messages, tasks, votes and agents went.
    pub fn clear(&mut self, now: Now, by: Option<&AgentName>) -> usize {
        let keys: Vec<Key> =
            self.keyspace.range("", None, now.monotonic).map(|(key, _)| key.clone()).collect();
        for key in &keys {
            self.clear_key(now, key, by);
        }
        let tokens: Vec<Revision> = self.locks.grants_from(0).map(|(token, _)| Revision(token)).collect();
        for token in &tokens {
            let ending = Ending {
                why: Stale::Broken,
                lost: Some(LostWhy::Broken),
                by: by.cloned(),
                reason: Some("the namespace was cleared".to_owned()),
            };
            self.end_lock(now, *token, ending);
        }
        let messages = self.clear_messages();
        let tasks = self.clear_tasks(now, by);
        let votes = self.clear_votes();
        self.clear_limiters();
        let agents: Vec<AgentName> = self
            .agents
            .iter_after(None)
            .map(|(name, _)| name.clone())
            .filter(|name| self.sessions.of_agent(name).next().is_none())
            .collect();
        for name in &agents {
            self.leave(now, name, callboard_protocol::event::LeftWhy::Removed);
            self.drop_agent(now, name);
        }
        keys.len() + tokens.len() + messages + tasks + votes + agents.len()
    }
}
