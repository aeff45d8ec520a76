//! What every test needs: the real binary, a home of its own, a client that shows each byte.
//!
//! Invariant: nothing here waits for a fixed time, and nothing waits for ever: what does not come within [`PATIENCE`]
//! fails its test with what was waited for. Whatever a test starts ends with it.

mod binary;
mod command_line;
mod daemon;
mod home;
mod kill;
mod random;
mod raw;
mod stream;

use std::time::{Duration, Instant};

pub use binary::callboard;
pub use command_line::Ran;
pub use daemon::Daemon;
pub use home::Home;
pub use kill::{Progress, work_until_killed};
pub use random::Random;
pub use raw::{Framing, Raw, deeply};
pub use stream::Stream;

/// How long anything may take before the test fails: far more than a busy machine needs.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at something that announces itself to nobody.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// The number in a variable of the environment, if it is set: how long, how often, from which seed.
pub fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}={text}: {error}")))
}

/// Looks until `look` finds something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Memory of a process in KiB; 0 where the system does not tell it in a file.
pub fn resident_kib(pid: u32) -> u64 {
    let file = if cfg!(unix) { format!("/proc/{pid}/status") } else { String::new() };
    let status = std::fs::read_to_string(file).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.unwrap_or(0)
}
