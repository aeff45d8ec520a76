//! SIGTERM (service managers, `kill`) and SIGINT (Ctrl-C in a terminal).

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::StopSignal;

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) -> StopSignal {
        let (name, kind) = tokio::select! {
            _ = self.terminate.recv() => ("SIGTERM", SignalKind::terminate()),
            _ = self.interrupt.recv() => ("SIGINT", SignalKind::interrupt()),
        };
        StopSignal { name, exit_code: 128 + kind.as_raw_value() }
    }
}
