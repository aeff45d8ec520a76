//! `callboard doctor`
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
/// x
pub async fn run(_context: &Context) -> Result<Exit, Failure> {
    Ok(Exit::Ok)
}
