//! The doctor's look at files: the home, the socket, the log, the service.

use std::path::Path;

use super::finding::Finding;
use crate::verbs::service;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub use unix::{home, socket};
#[cfg(windows)]
pub use windows::{home, socket};

/// The log of a daemon that another program started.
const LOG_NAME: &str = "daemon.log";
/// Variables that sandboxes of agents set for what runs inside.
const SANDBOX_VARIABLES: [&str; 3] = ["CODEX_SANDBOX", "CODEX_SANDBOX_NETWORK_DISABLED", "SANDBOX_RUNTIME"];

/// Where a daemon that does not run any more may have said why.
pub fn daemon_log(home: &Path, socket: &Path) -> Option<Finding> {
    let log = home.join(LOG_NAME);
    let is_worth_reading = !socket.try_exists().unwrap_or(true) && log.exists();
    is_worth_reading
        .then(|| Finding::noted("log", format!("the last daemon's words are in {}", log.display())))
}

/// What to do about a sandbox, if one is around this process or `why` looks like one.
pub fn sandbox_hint(why: &str) -> Option<String> {
    let set = SANDBOX_VARIABLES.iter().find(|name| std::env::var_os(name).is_some());
    if let Some(name) = set {
        return Some(format!(
            "this process runs in a sandbox (${name} is set): allow the socket and the home in its settings"
        ));
    }
    let is_refused = why.contains("Operation not permitted") || why.contains("Permission denied");
    is_refused.then(|| {
        "a sandbox may be around this process: allow the socket and the home in its settings".to_owned()
    })
}

/// Whether the service, where it is installed, is the one of this program.
pub fn service() -> Option<Finding> {
    let installed = service::installed()?;
    Some(if installed.is_ours {
        Finding::good("service", format!("installed, {}", installed.file.display()))
    } else {
        let said = format!(
            "{} is not what this program would install: it may start another one",
            installed.file.display()
        );
        Finding::wrong("service", said, "callboard service install")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_by_the_system_hints_at_a_sandbox() {
        assert!(sandbox_hint("Operation not permitted (os error 1)").is_some());
    }
}
