//! What a person sees while something takes longer than a second.
//!
//! Invariant: one line on standard error that is taken back when it is over; nothing at all where standard error is no
//! terminal, or nobody had to wait.

use std::io::{self, Write as _};
use std::time::Duration;

use crate::output::Output;

/// How long a person waits without being told, and how often the line is renewed.
const PATIENCE: Duration = Duration::from_secs(1);
/// To the beginning of the line, and clear it.
const CLEAR: &str = "\r\x1b[K";

/// Waits for `work`; from the first second on, a person is told what `say` says, anew every second.
pub async fn while_waiting<T>(
    output: Output,
    work: impl Future<Output = T>,
    mut say: impl AsyncFnMut() -> String,
) -> T {
    if !output.is_error_terminal() {
        return work.await;
    }
    let mut work = std::pin::pin!(work);
    let mut is_told = false;
    loop {
        let renew = async {
            tokio::time::sleep(PATIENCE).await;
            say().await
        };
        tokio::select! {
            biased;
            done = &mut work => {
                if is_told {
                    print(CLEAR);
                }
                return done;
            }
            text = renew => {
                print(&format!("{CLEAR}{text}"));
                is_told = true;
            }
        }
    }
}

fn print(text: &str) {
    let mut stderr = io::stderr().lock();
    // The line is a courtesy: what is waited for goes on without it.
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}
