//! The wish of the outside that the daemon stops: SIGTERM, SIGINT, or what a Windows console says.
//!
//! Invariant: the first one is a wish, the second one an order. What a stop consists of is not decided here.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;
#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

use std::io;

/// The handlers could not be installed. `Display` completes "failed to ...".
#[derive(Debug, thiserror::Error)]
#[error("listen for signals: {source}; raise the limits of the process (ulimit -n) and start again")]
pub struct SignalError {
    source: io::Error,
}

/// Installs the handlers at once and returns a future that ends with the name of the first signal. After that, a second
/// one ends the process without any ceremony, with exit code 128 + its number, where signals have one.
///
/// # Errors
/// [`SignalError`] when the system refuses the handlers. Must be called inside a tokio runtime.
pub fn stop_requested() -> Result<impl Future<Output = &'static str> + Send, SignalError> {
    let mut signals = platform::Signals::install().map_err(|source| SignalError { source })?;
    Ok(async move {
        let first = signals.next().await;
        tokio::spawn(async move {
            let second = signals.next().await;
            tracing::warn!(signal = second.name, "a second signal: exit at once");
            std::process::exit(second.exit_code);
        });
        first.name
    })
}

/// One signal that asks for a stop.
struct StopSignal {
    name: &'static str,
    exit_code: i32,
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use rustix::process::{Signal, getpid, kill_process};

    #[tokio::test]
    async fn a_signal_asks_for_a_stop_and_does_not_kill() {
        let stop = super::stop_requested().unwrap();
        kill_process(getpid(), Signal::TERM).unwrap();
        assert_eq!(stop.await, "SIGTERM");
    }
}
