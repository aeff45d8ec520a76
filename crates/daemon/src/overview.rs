//! What the daemon tells of all boards together: `server.stats`, `namespace.list`, `namespace.clear`.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use callboard_broker::page::Page;
use callboard_protocol::error::Error;
use callboard_protocol::methods::server::{
    Clear, Cleared, ListNamespaces, ListNamespacesResult, ListedNamespace, Stats,
};

use callboard_protocol::methods::task::Status;

use crate::clock::unix_ms;
use crate::host::Host;

/// What a namespace takes in a list on the wire at most, in bytes.
const ROW_BYTES: usize = 512;

impl Host {
    pub(crate) fn read_stats(&self) -> Stats {
        let mut stats = Stats {
            uptime_ms: unix_ms().saturating_sub(self.started_at),
            connections: self.stats.connections.load(Ordering::Relaxed),
            sessions: self.seats.len(),
            requests: self.stats.requests(),
            errors: self.stats.errors(),
            bytes: self.bytes.load(Ordering::Relaxed),
            store: self.keeper.stats(),
            drops: self.stats.drops.load(Ordering::Relaxed),
            ..Stats::default()
        };
        let now = self.clock.now();
        for handle in self.boards.all() {
            let summary = handle.lock().summary(now);
            stats.namespaces += 1;
            stats.keys += summary.keys;
            stats.locks += summary.locks;
            stats.waiters += summary.waiters;
            stats.agents += summary.live;
            let mut tasks = summary.tasks;
            for status in Status::ALL {
                *stats.tasks.entry(status.name().to_owned()).or_default() += *tasks.of(status);
            }
            stats.inbox.queued += summary.inbox.queued;
            stats.inbox.leased += summary.inbox.leased;
            stats.inbox.dead += summary.inbox.dead;
            stats.inbox.oldest_ms = stats.inbox.oldest_ms.max(summary.inbox.oldest_ms);
        }
        stats
    }

    pub(crate) fn list_namespaces(&self, params: &ListNamespaces) -> ListNamespacesResult {
        let mut page = Page::new(params.limit, self.config.limits.frame_bytes);
        let now = self.clock.now();
        for handle in self.boards.all() {
            let name = handle.namespace.clone();
            if params.cursor.as_deref().is_some_and(|cursor| name.as_str() <= cursor) {
                continue;
            }
            let summary = handle.lock().summary(now);
            let row = ListedNamespace {
                name: name.clone(),
                keys: summary.keys,
                agents: summary.agents,
                locks: summary.locks,
                tasks: summary.tasks.total(),
            };
            if !page.push(row, ROW_BYTES, name.as_str()) {
                break;
            }
        }
        let (namespaces, cursor) = page.finish();
        ListNamespacesResult { namespaces, cursor }
    }

    pub(crate) fn clear_namespace(self: &Arc<Self>, params: &Clear) -> Result<Cleared, Error> {
        self.check_admin("namespace.clear")?;
        let Some(handle) = self.boards.find(&params.namespace) else {
            return Ok(Cleared { removed: 0 });
        };
        let now = self.clock.now();
        tracing::warn!(namespace = %params.namespace, "a client clears the namespace");
        let (removed, _) = self.with_board(&handle, |board| board.clear(now, None));
        Ok(Cleared { removed })
    }
}
