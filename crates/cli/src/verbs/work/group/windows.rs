//! What Windows has instead of process groups to signal: the program alone can be ended, and at once.
//!
//! Invariant: a console's Ctrl-C does not reach the program, so that the worker alone decides when its programs end.

use tokio::process::{Child, Command};

/// `CREATE_NEW_PROCESS_GROUP`.
const NEW_PROCESS_GROUP: u32 = 0x200;

/// One program.
pub struct Group;

impl Group {
    /// Keeps the console's Ctrl-C from the program.
    pub fn begin(command: &mut Command) {
        command.creation_flags(NEW_PROCESS_GROUP);
    }

    /// The program's.
    pub fn of(_: &Child) -> Self {
        Self
    }

    /// Ends the program: there is no way to ask one that has no window.
    pub fn ask_to_end(&self, child: &mut Child) {
        // One that ended meanwhile needs no ending.
        let _ = child.start_kill();
    }

    /// What the program started goes on in any case.
    pub fn let_go(&mut self) {}

    /// What the program started is not known here.
    pub fn is_alive(&self) -> bool {
        false
    }
}
