//! What the board shows of who waits.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};

use callboard_protocol::AgentName;
use callboard_protocol::methods::lock::{self, Waiting};
use callboard_protocol::methods::message::{self, DeliveryState, Listed, MailBox};
use callboard_protocol::methods::task::{self, Status, Task};
use callboard_protocol::revision::TaskId;

use super::graph::{Graph, Node, Why};
use crate::context::Session;
use crate::duration::format_ms;
use crate::failure::Failure;
use crate::instant::ago;
use crate::paging::pages;

const WHAT: &str = "look who waits";
/// The type of `message.request`, unless whoever asked chose another.
const REQUEST: &str = "request";

/// Tasks by their ids.
type Tasks = BTreeMap<TaskId, Task>;

/// Looks at locks, tasks, and, if `agent` acts, at its requests.
///
/// # Errors
/// The daemon's.
pub async fn look(session: &Session, agent: Option<&AgentName>) -> Result<Graph, Failure> {
    let mut graph = Graph::default();
    for page in pages(session, WHAT, lock::List::default()).await? {
        page.waiters.iter().for_each(|waiter| add_lock(&mut graph, waiter));
    }
    add_tasks(&mut graph, &open_tasks(session).await?);
    if let Some(agent) = agent {
        add_requests(&mut graph, session, agent).await?;
    }
    Ok(graph)
}

fn add_lock(graph: &mut Graph, waiter: &Waiting) {
    let from = graph.agent(&waiter.agent);
    for holder in &waiter.waits_for {
        let to = graph.agent(holder);
        let label = format!("lock {}, for {}", waiter.keys.join(" "), format_ms(waiter.waited_ms));
        graph.wait(from, to, Why::Lock, label);
    }
}

/// Tasks that are blocked or held, and what blocks them.
async fn open_tasks(session: &Session) -> Result<Tasks, Failure> {
    let mut tasks = Tasks::new();
    for status in [Status::Blocked, Status::InProgress] {
        let list = task::List { status: Some(status), ..task::List::default() };
        let found = pages(session, WHAT, list).await?.into_iter().flat_map(|page| page.tasks);
        tasks.extend(found.map(|task| (task.id, task)));
    }
    let needed: Vec<TaskId> = tasks.values().flat_map(|task| task.depends_on.clone()).collect();
    for id in needed {
        if let Entry::Vacant(missing) = tasks.entry(id) {
            missing.insert(session.call(WHAT, &task::Get { id }).await?.task);
        }
    }
    Ok(tasks)
}

fn add_tasks(graph: &mut Graph, tasks: &Tasks) {
    let holders: HashMap<TaskId, &AgentName> =
        tasks.values().filter_map(|task| Some((task.id, holder(task)?))).collect();
    // Only what somebody waits for, and who waits, is of interest: not everything that is being done.
    let mut awaited = Vec::new();
    for task in tasks.values() {
        for other in &task.depends_on {
            let open = tasks.get(other).filter(|other| !other.status.is_finished());
            if let (Status::Blocked, Some(other)) = (task.status, open) {
                let (from, to) = (add_task(graph, task), add_task(graph, other));
                graph.wait(from, to, Why::Dependency, "depends on it".to_owned());
                awaited.push(other.id);
            }
        }
        let whole = task.parent.and_then(|parent| Some((parent, *holders.get(&parent)?)));
        if let Some((parent, waits)) = whole.filter(|(_, waits)| is_unfinished_by_others(task, waits)) {
            let (from, to) = (graph.agent(waits), add_task(graph, task));
            graph.wait(from, to, Why::Part, format!("part of task {parent}"));
            awaited.push(task.id);
        }
    }
    awaited.sort_unstable();
    awaited.dedup();
    for id in awaited {
        if let (Some(task), Some(holder)) = (tasks.get(&id), holders.get(&id)) {
            let (from, to) = (add_task(graph, task), graph.agent(holder));
            graph.wait(from, to, Why::Held, "who holds it".to_owned());
        }
    }
}

fn holder(task: &Task) -> Option<&AgentName> {
    task.assignee.as_ref().filter(|_| task.status == Status::InProgress)
}

/// What an agent does itself it does not wait for.
fn is_unfinished_by_others(task: &Task, agent: &AgentName) -> bool {
    !task.status.is_finished() && holder(task) != Some(agent)
}

fn add_task(graph: &mut Graph, task: &Task) -> usize {
    graph.place(Node::Task { task: task.id, title: task.title.clone(), status: task.status })
}

/// The requests from and to `agent`; those between others are not to be seen.
async fn add_requests(graph: &mut Graph, session: &Session, agent: &AgentName) -> Result<(), Failure> {
    for mailbox in [MailBox::Inbox, MailBox::Sent] {
        let list = message::List { mailbox: Some(mailbox), limit: None, cursor: None, bodies: None };
        let listed = pages(session, WHAT, list).await?.into_iter().flat_map(|page| page.messages);
        for request in listed.filter(is_open_request) {
            let Some(asker) = &request.from else { continue };
            let status = session.call(WHAT, &message::Status { id: request.id }).await?;
            for recipient in status.recipients.iter().filter(|recipient| is_open(recipient.state)) {
                // What one sent to oneself is in both.
                if mailbox == MailBox::Inbox || recipient.agent != *agent {
                    let (from, to) = (graph.agent(asker), graph.agent(&recipient.agent));
                    let label = format!("request {}, asked {}", request.id, ago(request.sent_at));
                    graph.wait(from, to, Why::Request, label);
                }
            }
        }
    }
    Ok(())
}

fn is_open_request(message: &Listed) -> bool {
    message.r#type.as_str() == REQUEST && is_open(message.state)
}

fn is_open(state: DeliveryState) -> bool {
    matches!(state, DeliveryState::Queued | DeliveryState::Leased)
}
