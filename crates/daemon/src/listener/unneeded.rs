//! What other systems need around a socket, and a pipe does not.
//!
//! A pipe is no file, so it can't be deleted under the daemon; handles have no limit that a person could raise; no service
//! manager hands a pipe over.

use std::path::Path;

use super::{Listener, ListenerError};

/// No service manager has one for us.
///
/// # Errors
/// None here.
#[expect(clippy::unnecessary_wraps, reason = "on other systems it can fail")]
pub fn activated() -> Result<Option<Listener>, ListenerError> {
    Ok(None)
}

/// There is no such limit: `None`.
pub fn raise_open_files(_connections: usize) -> Option<u64> {
    None
}

/// The watch over a socket file, of which there is none.
#[derive(Debug)]
pub enum SocketWatch {}

impl SocketWatch {
    /// Never called: no listener here has a file.
    ///
    /// # Errors
    /// Always.
    pub fn start(socket: &Path) -> Result<Self, ListenerError> {
        Err(ListenerError::io("watch", socket, std::io::ErrorKind::Unsupported.into()))
    }

    /// Never ends.
    pub async fn changed(&self) {
        std::future::pending().await
    }
}
