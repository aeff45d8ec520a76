//! The paths of a lock on the command line.

use std::fmt;

use clap::Args;

use crate::context::Context;
use crate::failure::Failure;

/// The paths of a lock.
#[derive(Debug, Args)]
pub struct PathArgs {
    /// Paths and patterns, understood from here as a shell does; quote patterns: 'src/**'
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Take them as names, as they are, not as paths
    #[arg(long = "name")]
    are_names: bool,
}

impl PathArgs {
    /// The names of the lock; tells a person when one covers less than it may seem to.
    ///
    /// # Errors
    /// When a path has no name.
    pub fn names(&self, what: &str, context: &Context) -> Result<Vec<String>, Failure> {
        if self.are_names {
            return Ok(self.paths.clone());
        }
        let place = context.place()?;
        let mut names = Vec::with_capacity(self.paths.len());
        for path in &self.paths {
            let name = place
                .lock_name(path)
                .map_err(|error| Failure::usage(what, format_args!("failed to {error}")))?;
            if name.is_bare_directory {
                context.output.note(format_args!(
                    "callboard: {path} is a directory: this is about its name alone, {path}/ is about all that is in it"
                ));
            }
            names.push(name.name);
        }
        Ok(names)
    }
}

impl fmt::Display for PathArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.paths.join(" "))
    }
}
