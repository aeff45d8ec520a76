//! `callboard service`
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use clap::Subcommand;
/// x
#[derive(Debug, Subcommand)]
pub enum ServiceVerb {
    /// x
    Status,
}
/// x
pub fn run(_verb: ServiceVerb, _context: &Context) -> Result<Exit, Failure> {
    Ok(Exit::Ok)
}
