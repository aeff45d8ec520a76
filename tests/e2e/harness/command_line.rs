//! The command line as a script uses it: arguments and standard input in, an exit code and two texts out.

use std::io::{Read, Write as _};
use std::process::{Child, Stdio};

use serde_json::Value;

use super::Home;

/// What a run of the command line came to.
#[derive(Debug)]
pub struct Ran {
    /// The exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Home {
    /// Runs a verb to its end.
    #[track_caller]
    pub fn run<const N: usize>(&self, arguments: [&str; N]) -> Ran {
        self.run_with_input(arguments, "")
    }

    /// Runs a verb that reads its standard input to its end.
    #[track_caller]
    pub fn run_with_input<const N: usize>(&self, arguments: [&str; N], input: &str) -> Ran {
        self.begin(arguments, input).end()
    }

    /// Starts a verb that takes a while.
    #[track_caller]
    pub fn begin<const N: usize>(&self, arguments: [&str; N], input: &str) -> Running {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        // Who ends without reading all of it is not at fault.
        let _ = stdin.write_all(input.as_bytes());
        Running(child)
    }
}

/// A verb under way. It ends with the test, which may fail before: left alone it could start a daemon anew.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Waits for its end.
    #[track_caller]
    pub fn end(mut self) -> Ran {
        let text = |pipe: Option<&mut dyn Read>| {
            let mut text = String::new();
            pipe.expect("a pipe").read_to_string(&mut text).expect("text");
            text
        };
        let stdout = text(self.0.stdout.as_mut().map(|pipe| pipe as &mut dyn Read));
        let stderr = text(self.0.stderr.as_mut().map(|pipe| pipe as &mut dyn Read));
        Ran { code: self.0.wait().expect("it ends").code(), stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Ran {
    /// The same, which must have ended with `code`.
    #[track_caller]
    pub fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// The standard output of a run that did what was asked, less its last line break.
    #[track_caller]
    pub fn text(self) -> String {
        self.with_code(0).stdout.trim_end_matches('\n').to_owned()
    }

    /// The result object of a run that did what was asked.
    #[track_caller]
    pub fn json(self) -> Value {
        self.with_code(0).object()
    }

    /// The result object, however the run ended.
    #[track_caller]
    pub fn object(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The kind of the daemon's error that a run with `--json` tells of.
    #[track_caller]
    pub fn error_kind(&self) -> Value {
        let error: Value =
            serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        error["error"]["data"]["kind"].clone()
    }
}
