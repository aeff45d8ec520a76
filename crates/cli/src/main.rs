//! The `callboard` program: from the command line to an exit code.
//!
//! Invariant: whatever happens is told by the exit code, and by standard error where it is a failure.

mod arguments;
mod canonical;
mod context;
mod drawing;
mod duration;
mod exit;
mod failure;
mod instant;
mod lock_name;
mod namespace;
mod output;
mod paging;
mod payload;
mod program;
mod progress;
mod repository;
mod run;
mod signals;
mod streaming;
mod table;
mod temporary;
mod text_value;
mod verbs;
mod word;

use std::process::ExitCode;

use clap::Parser as _;

use crate::arguments::Arguments;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let context = Context::new(arguments.globals);
    match run::run(arguments.verb, &context) {
        Ok(exit) => exit.into(),
        Err(Failure::ReaderLeft) => Exit::Ok.into(),
        Err(Failure::Told(report)) => {
            context.output.failure(&report);
            report.exit.into()
        }
    }
}
