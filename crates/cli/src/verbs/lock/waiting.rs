//! Taking a lock, with a person being told whom it waits for.

use callboard_protocol::AgentName;
use callboard_protocol::methods::lock::{Acquire, Acquired, List};

use super::conflict;
use crate::context::Session;
use crate::failure::Failure;
use crate::output::Output;
use crate::progress;

/// Takes the lock, waiting as long as `params` say.
///
/// # Errors
/// Why not, with who stands in the way.
pub async fn acquire(
    what: &str,
    agent: &AgentName,
    session: &Session,
    output: Output,
    params: &Acquire,
) -> Result<Acquired, Failure> {
    let acquired = progress::while_waiting(output, session.call(what, params), async || {
        position(agent, session, params).await
    });
    acquired.await.map_err(conflict::explain)
}

/// Whom the request waits for, and at which place.
async fn position(agent: &AgentName, session: &Session, params: &Acquire) -> String {
    let list = List { agent: Some(agent.clone()), ..List::default() };
    let found = session.call("look", &list).await.ok();
    let waiter = found.and_then(|list| {
        let mut waiters = list.waiters.into_iter();
        waiters.find(|waiter| Some(waiter.mode) == params.mode && waiter.keys.len() == params.keys.len())
    });
    match waiter {
        None => "waiting".to_owned(),
        Some(waiter) => {
            let holders: Vec<&str> = waiter.waits_for.iter().map(AgentName::as_str).collect();
            format!("waiting for {}, position {}", holders.join(", "), waiter.position)
        }
    }
}
