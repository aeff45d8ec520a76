//! A program that this one runs: what it finds in its environment, and what its end says.
//!
//! Invariant: `callboard`, called from within, works on the same board for the same agent, whatever named them here. Lacks the
//! running: whoever runs a program has something else to keep alive meanwhile.

use std::ffi::OsString;
use std::io;
use std::process::ExitStatus;

use callboard_client::home;
use callboard_protocol::{AgentName, Namespace};
use tokio::process::Command;

use crate::context::{AGENT_VARIABLE, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::namespace::NAMESPACE_VARIABLE;
use crate::signals;

/// The command for a program and its arguments, in that order, on this board.
///
/// # Errors
/// When the home or the socket is unclear.
pub fn command(
    line: &[OsString],
    agent: &AgentName,
    namespace: &Namespace,
    context: &Context,
) -> Result<Command, Failure> {
    let [program, arguments @ ..] = line else {
        return Err(Failure::usage("run a program", "none is named"));
    };
    let mut command = Command::new(program);
    command.args(arguments).env(AGENT_VARIABLE, agent.as_str()).env(NAMESPACE_VARIABLE, namespace.as_str());
    let unclear = |error| Failure::client("find the daemon", error);
    if let given @ Some(_) = context.globals.home.as_deref() {
        command.env(home::HOME_VARIABLE, home::home(given).map_err(unclear)?);
    }
    if let given @ Some(_) = context.globals.socket.as_deref() {
        command.env(home::SOCKET_VARIABLE, home::socket_path(given, None).map_err(unclear)?);
    }
    Ok(command)
}

/// As shells have it: the code, or 128 and the signal's number.
pub fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| signals::ending(status).map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// As shells have it: 127 for a program that is not there, 126 for one that can't be run.
pub fn not_run(program: &OsString, error: &io::Error) -> Failure {
    let code = if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    Failure::new(Exit::Command(code), format_args!("run {}", program.display()), error)
}
