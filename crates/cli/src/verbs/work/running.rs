//! A program that runs for a task: what goes in, what comes out, and its end.
//!
//! Invariant: reading never stops while it runs, so that a full pipe can't hold it up; what is kept of its output is bounded.
//! It is over when the program itself ended: what it left behind in the background may go on.

use std::io::{self, Write as _};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::group::Group;

/// How long a program may take to end when it is asked to.
const TERM_GRACE: Duration = Duration::from_secs(10);
/// How long the rest of the output is waited for after the end: what was left in the background may hold the pipes open.
const OUTPUT_GRACE: Duration = Duration::from_secs(1);
/// Between two looks whether a group is gone, which announces itself to nobody.
const LOOK_PERIOD: Duration = Duration::from_millis(20);
/// The last of standard error that is kept, in bytes: enough for the end of a stack trace, and a quarter of what a text may have.
const ERROR_BYTES_MAX: usize = 4096;
/// One read, in bytes.
const CHUNK_BYTES: usize = 16 * 1024;

/// The program.
pub struct Running {
    child: Child,
    group: Group,
    stdout: Captured,
    stderr: Captured,
}

/// What a program wrote, as far as it is kept.
pub struct Written {
    /// The beginning of standard output, at most one byte more than was asked for.
    pub stdout: Vec<u8>,
    /// The last of standard error.
    pub stderr: String,
}

struct Captured {
    kept: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Running {
    /// Starts it, with `input` on its standard input. Of its output `stdout_bytes_max` are kept, and one more that tells of
    /// too many.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn start(mut command: Command, input: String, stdout_bytes_max: usize) -> io::Result<Self> {
        Group::begin(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read it needs it not.
            tokio::spawn(async move { stdin.write_all(input.as_bytes()).await });
        }
        let stdout = Captured::start(child.stdout.take(), move |kept, chunk| {
            let room = stdout_bytes_max.saturating_add(1).saturating_sub(kept.len());
            kept.extend_from_slice(&chunk[..chunk.len().min(room)]);
        });
        let stderr = Captured::start(child.stderr.take(), |kept, chunk| {
            // Without anybody to show it to, the program goes on all the same.
            let _ = io::stderr().write_all(chunk);
            kept.extend_from_slice(chunk);
            kept.drain(..kept.len().saturating_sub(ERROR_BYTES_MAX));
        });
        Ok(Self { group: Group::of(&child), child, stdout, stderr })
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// When the system does not say how it ended.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.group.let_go();
        Ok(status)
    }

    /// Ends it, and what it started: asks first, and after a while does not ask.
    pub async fn end(mut self) {
        self.group.ask_to_end(&mut self.child);
        let gone = async {
            // Nothing else is left to do with one that the system says nothing about.
            let _ = self.child.wait().await;
            // What has ended may be in the group until somebody reaps it, but holds no pipe open.
            while self.group.is_alive() && !(self.stdout.is_over() && self.stderr.is_over()) {
                sleep(LOOK_PERIOD).await;
            }
        };
        // What is left then ends with the group's value, and the program is reaped by the runtime.
        let _ = timeout(TERM_GRACE, gone).await;
    }

    /// What it wrote, once it has ended.
    pub async fn written(self) -> Written {
        let readers = async {
            // A reader that was ended has nothing more to say.
            let _ = self.stdout.reader.await;
            let _ = self.stderr.reader.await;
        };
        let _ = timeout(OUTPUT_GRACE, readers).await;
        let stderr = take(&self.stderr.kept);
        Written {
            stdout: take(&self.stdout.kept),
            stderr: String::from_utf8_lossy(&stderr).trim().to_owned(),
        }
    }
}

impl Captured {
    fn start(
        pipe: Option<impl AsyncRead + Unpin + Send + 'static>,
        keep: impl Fn(&mut Vec<u8>, &[u8]) + Send + 'static,
    ) -> Self {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&kept);
        let reader = tokio::spawn(async move {
            let Some(mut pipe) = pipe else { return };
            let mut chunk = vec![0; CHUNK_BYTES];
            while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
                keep(&mut shared.lock().unwrap_or_else(PoisonError::into_inner), &chunk[..count]);
            }
        });
        Self { kept, reader }
    }

    /// Whether nobody writes any more.
    fn is_over(&self) -> bool {
        self.reader.is_finished()
    }
}

fn take(kept: &Mutex<Vec<u8>>) -> Vec<u8> {
    std::mem::take(&mut kept.lock().unwrap_or_else(PoisonError::into_inner))
}
