//! The verbs that look at tasks; they change nothing but what the clock has decided already.

use callboard_protocol::error::Error;
use callboard_protocol::limits::CHILD_RESULTS_MAX;
use callboard_protocol::methods::message::Subscribed as SubscribedResult;
use callboard_protocol::methods::task::{
    ChildResult, Children, Counts, Get, GetResult, List, ListResult, Next, NextResult, Watch,
};
use callboard_protocol::names::Role;
use callboard_protocol::params::ListLimit;
use callboard_protocol::revision::{Revision, TaskId};

use super::{check_tags, no_task};
use crate::board::{Board, Call, invalid_params};
use crate::now::Now;
use crate::page::Page;
use crate::session::Subscribed;
use crate::task::Task;
use crate::task::entry::ID_BYTES;
use crate::task::table::WatchFilter;

impl Board {
    pub(crate) fn task_get(&mut self, call: &Call, params: &Get) -> Result<GetResult, Error> {
        self.settle_task(call.now, params.id);
        let task = self.view_task(call.now, params.id).ok_or_else(|| no_task(params.id))?;
        Ok(GetResult { task, children: self.children_of(params.id) })
    }

    fn children_of(&self, id: TaskId) -> Option<Children> {
        let counts = self.tasks.child_counts(id)?;
        let limit = ListLimit::new(CHILD_RESULTS_MAX);
        let parent_bytes = self.tasks.find(id).map_or(0, Task::wire_bytes);
        let mut page = Page::new(limit, self.config.limits.frame_bytes.saturating_sub(parent_bytes));
        let mut more = false;
        for child in self.tasks.children(id, TaskId::default()) {
            let Some(result) = self.tasks.find(child).and_then(|task| task.result.clone()) else {
                continue;
            };
            let bytes = result.len() + 2 * ID_BYTES;
            more = bytes + parent_bytes > self.config.limits.frame_bytes
                || !page.push(ChildResult { id: child, result }, bytes, "");
            if more {
                break;
            }
        }
        let (results, _) = page.finish();
        Some(Children { counts, results, more: more.then_some(true) })
    }

    pub(crate) fn task_list(&mut self, call: &Call, params: &List) -> Result<ListResult, Error> {
        check_tags(params.tags.as_deref())?;
        let after = params.cursor.as_deref().map_or(Ok(Revision(0)), place_of)?;
        self.settle_tasks(call.now);
        let mut page = Page::new(params.limit, self.config.limits.frame_bytes);
        let ids: Box<dyn Iterator<Item = TaskId>> = match (params.parent, params.status) {
            (Some(parent), _) => Box::new(self.tasks.children(parent, after)),
            (None, Some(status)) => Box::new(self.tasks.of_status(status, after)),
            (None, None) => Box::new(self.tasks.iter_after(after).map(|(id, _)| id)),
        };
        for id in ids {
            let Some(task) = self.tasks.find(id).filter(|task| is_listed(task, params)) else {
                continue;
            };
            let Some(view) = self.view_task(call.now, id) else { continue };
            if !page.push(view, task.wire_bytes(), &id.to_string()) {
                break;
            }
        }
        let (tasks, cursor) = page.finish();
        Ok(ListResult { tasks, cursor })
    }

    pub(crate) fn task_next(&mut self, call: &Call, params: &Next) -> Result<NextResult, Error> {
        check_tags(params.tags.as_deref())?;
        self.settle_tasks(call.now);
        let own: Option<Role> = match &call.agent {
            Some(agent) => self.agents.find(agent).and_then(|agent| agent.profile.role.clone()),
            None => params.role.clone(),
        };
        let tags = params.tags.as_deref().unwrap_or_default();
        let next = self.next_ready(own.as_ref(), params.role.as_ref(), tags);
        let counts = self.tasks.counts();
        Ok(NextResult {
            task: next.and_then(|id| self.view_task(call.now, id)),
            pending: counts.pending,
            blocked: counts.blocked,
        })
    }

    pub(crate) fn task_counts(&mut self, now: Now) -> Counts {
        self.settle_tasks(now);
        self.tasks.counts()
    }

    pub(crate) fn task_watch(&mut self, call: &Call, params: Watch) -> Result<SubscribedResult, Error> {
        check_tags(params.tags.as_deref())?;
        let subscription = self.subscribe(call, Subscribed::Tasks)?;
        let filter = WatchFilter { parent: params.parent, tags: params.tags.unwrap_or_default() };
        self.tasks.watchers.insert((call.session, subscription), filter);
        Ok(SubscribedResult { subscription })
    }
}

fn is_listed(task: &Task, params: &List) -> bool {
    params.status.is_none_or(|status| task.status() == status)
        && params.tags.as_ref().is_none_or(|tags| task.has_tags(tags))
        && params.assignee.as_ref().is_none_or(|assignee| task.assignee.as_ref() == Some(assignee))
        && params.parent.is_none_or(|parent| task.parent == Some(parent))
        && params.role.as_ref().is_none_or(|role| task.role.as_ref() == Some(role))
}

fn place_of(cursor: &str) -> Result<TaskId, Error> {
    cursor.parse().map(Revision).map_err(|_| {
        let message = format!("`cursor` {cursor:?} is not one that task.list gave: leave it out to begin");
        invalid_params("cursor", message)
    })
}
