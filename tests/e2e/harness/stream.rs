//! One connection to a daemon, as bytes: a Unix socket, or a named pipe.

#[cfg(unix)]
pub use std::os::unix::net::UnixStream as Stream;

#[cfg(windows)]
pub use pipe::Stream;

/// A pipe with what the tests use of a Unix socket. A runtime does the waiting: the system itself lets nobody write to a pipe
/// while somebody reads from the same handle, and knows no patience.
#[cfg(windows)]
mod pipe {
    use std::io::{self, ErrorKind, Read, Write};
    use std::path::Path;
    use std::sync::{Arc, OnceLock};
    use std::time::Duration;

    use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient};
    use tokio::runtime::{Builder, Runtime};
    use tokio::time::timeout;

    use crate::harness::{PATIENCE, wait_for};

    /// `ERROR_PIPE_BUSY`: the next instance comes in a moment.
    const BUSY: i32 = 231;

    #[derive(Debug)]
    pub struct Stream {
        pipe: Arc<NamedPipeClient>,
    }

    fn runtime() -> &'static Runtime {
        static RUNTIME: OnceLock<Runtime> = OnceLock::new();
        RUNTIME.get_or_init(|| {
            Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
        })
    }

    impl Stream {
        pub fn connect(path: impl AsRef<Path>) -> io::Result<Self> {
            let _inside = runtime().enter();
            let path = path.as_ref();
            let pipe = wait_for("an instance of the pipe", || match ClientOptions::new().open(path) {
                Err(error) if error.raw_os_error() == Some(BUSY) => None,
                opened => Some(opened),
            })?;
            Ok(Self { pipe: Arc::new(pipe) })
        }

        pub fn try_clone(&self) -> io::Result<Self> {
            Ok(Self { pipe: Arc::clone(&self.pipe) })
        }

        /// All waits are bounded by [`PATIENCE`] already.
        pub fn set_read_timeout(&self, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }

        /// All waits are bounded by [`PATIENCE`] already.
        pub fn set_write_timeout(&self, _: Option<Duration>) -> io::Result<()> {
            Ok(())
        }
    }

    fn wait(ready: impl Future<Output = io::Result<()>>) -> io::Result<()> {
        let waited = runtime().block_on(async { timeout(PATIENCE, ready).await });
        waited.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()))
    }

    impl Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            loop {
                match self.pipe.try_read(buffer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => wait(self.pipe.readable())?,
                    Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(0),
                    read => return read,
                }
            }
        }
    }

    impl Write for &Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            loop {
                match self.pipe.try_write(bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => wait(self.pipe.writable())?,
                    written => return written,
                }
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            (&*self).write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}
