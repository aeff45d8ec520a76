//! The `callboard` binary.

use std::process::ExitCode;

use callboard_daemon::{Options, prepare, run};

fn main() -> ExitCode {
    match prepare(&Options::default()).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("callboard: failed to {error}");
            ExitCode::FAILURE
        }
    }
}
