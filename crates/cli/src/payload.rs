//! The payload of a message or a publication on the command line.

use callboard_protocol::Json;
use clap::Args;

use crate::failure::Failure;
use crate::text_value;

/// A payload.
#[derive(Debug, Args)]
pub struct PayloadArgs {
    /// What to say, kept as a string whatever it looks like; - reads standard input, less one line break at its end
    #[arg(allow_negative_numbers = true)]
    payload: String,
    /// The payload is JSON
    #[arg(long, short = 'j')]
    json_value: bool,
}

impl PayloadArgs {
    /// The payload as it is sent.
    ///
    /// # Errors
    /// As [`text_value::read`].
    pub fn read(&self, what: &str) -> Result<Json, Failure> {
        text_value::read(what, &self.payload, self.json_value)
    }
}
