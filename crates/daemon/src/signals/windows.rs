//! What a console says: Ctrl-C, Ctrl-Break, that it is closed, that the user logs off or the machine shuts down.

use std::io;

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlLogoff, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_logoff,
    ctrl_shutdown,
};

use super::StopSignal;

/// `STATUS_CONTROL_C_EXIT`: how the system itself ends a program at Ctrl-C.
const EXIT_CODE: i32 = 0xC000_013A_u32.cast_signed();

pub(super) struct Signals {
    interrupt: CtrlC,
    stop: CtrlBreak,
    close: CtrlClose,
    log_off: CtrlLogoff,
    shut_down: CtrlShutdown,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            stop: ctrl_break()?,
            close: ctrl_close()?,
            log_off: ctrl_logoff()?,
            shut_down: ctrl_shutdown()?,
        })
    }

    pub(super) async fn next(&mut self) -> StopSignal {
        let name = tokio::select! {
            _ = self.interrupt.recv() => "Ctrl-C",
            _ = self.stop.recv() => "Ctrl-Break",
            _ = self.close.recv() => "the console's end",
            _ = self.log_off.recv() => "the user's logging off",
            _ = self.shut_down.recv() => "the machine's shutting down",
        };
        StopSignal { name, exit_code: EXIT_CODE }
    }
}
