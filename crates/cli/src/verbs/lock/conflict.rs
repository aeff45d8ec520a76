//! What stands in the way of a lock, for people.

use callboard_protocol::methods::lock::{Conflict, CycleEdge, Mode};
use callboard_protocol::{Error, ErrorKind};
use serde::de::DeserializeOwned;

use crate::failure::Failure;
use crate::instant::remaining;

/// Adds to a refused lock who holds it or waits for it, line by line.
pub fn explain(failure: Failure) -> Failure {
    let Some(error) = failure.error() else {
        return failure;
    };
    let why = match error.kind {
        ErrorKind::LockHeld => Some("it is held; --wait 1m would wait for it"),
        ErrorKind::Timeout => Some("it did not become free in time"),
        _ => None,
    };
    let more = error.details.contains_key("more");
    let mut lines = describe(&member::<Vec<Conflict>>(error, "conflicts"), more);
    for edge in member::<Vec<CycleEdge>>(error, "cycle") {
        lines.push(format!("{} waits for {} to free {}", edge.agent, edge.waits_for, edge.keys.join(" ")));
    }
    let failure = failure.with_details(lines).or_next("callboard lock list");
    match why {
        Some(why) => failure.saying(why),
        None => failure,
    }
}

fn member<T: DeserializeOwned + Default>(error: &Error, name: &str) -> T {
    let value = error.details.get(name).cloned();
    value.and_then(|value| serde_json::from_value(value).ok()).unwrap_or_default()
}

/// A line for each conflict.
pub fn describe(conflicts: &[Conflict], has_more: bool) -> Vec<String> {
    let mut lines: Vec<String> = conflicts.iter().map(line).collect();
    lines.extend(has_more.then(|| "and more".to_owned()));
    lines
}

fn line(conflict: &Conflict) -> String {
    let verb = if conflict.waiting == Some(true) { "waits for" } else { "holds" };
    let keys = conflict.keys.join(" ");
    let mut line = format!("{} {verb} {keys}{}", conflict.agent, mode(conflict.mode));
    if let Some(reason) = &conflict.reason {
        line.push_str(&format!(" ({reason})"));
    }
    if let Some(token) = conflict.token {
        line.push_str(&format!(", token {token}, {}", remaining(conflict.expires_at)));
    }
    line
}

/// `, shared` where it is.
pub fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Exclusive => "",
        Mode::Shared => ", shared",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_lock_names_who_holds_it_and_why() {
        let conflict = serde_json::json!([{
            "key": "src/**", "agent": "bob", "keys": ["src/a.ts"], "mode": "shared", "token": 17, "reason": "refactoring",
            "acquired_at": 1, "expires_at": 2, "waiters": 0
        }, {
            "key": "src/**", "agent": "eve", "keys": ["**"], "mode": "exclusive", "token": null, "waiting": true,
            "reason": null, "acquired_at": null, "expires_at": null, "waiters": 0
        }]);
        let error = Error::new(ErrorKind::LockHeld, "held").with("conflicts", conflict);
        let Failure::Told(report) = explain(Failure::rpc("lock src/**", error)) else {
            panic!("a failure is told");
        };
        assert_eq!(
            report.details,
            ["bob holds src/a.ts, shared (refactoring), token 17, for 0ms", "eve waits for **"]
        );
    }
}
