//! What is printed: results on standard output, everything else on standard error.
//!
//! Invariant: with `--json` standard output carries result objects and nothing else, each on one line, written before the
//! call returns. Colour is for terminals only, and `NO_COLOR` takes it away.

use std::fmt::{Arguments, Display};
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use callboard_protocol::Json;
use serde::Serialize;

use crate::failure::{Failure, Report};
use crate::table::Table;

mod reader;

const BOLD: &str = "\x1b[1m";
const RED: &str = "\x1b[1;31m";
const PLAIN: &str = "\x1b[0m";

/// How often to look whether anybody still reads: no event of the runtime tells it for every kind of output.
const READER_LOOK_PERIOD: Duration = Duration::from_millis(500);

/// Where and how to print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    is_json: bool,
    is_terminal: bool,
    is_coloured: bool,
    is_error_terminal: bool,
    is_error_coloured: bool,
}

impl Output {
    /// For this process; `is_json`: for programs.
    pub fn new(is_json: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_terminal = io::stdout().is_terminal();
        let is_error_terminal = io::stderr().is_terminal();
        Self {
            is_json,
            is_terminal,
            is_coloured: is_terminal && !no_color,
            is_error_terminal,
            is_error_coloured: is_error_terminal && !no_color,
        }
    }

    /// Whether results are for programs.
    pub fn is_json(self) -> bool {
        self.is_json
    }

    /// Whether a person sees standard error as it is written.
    pub fn is_error_terminal(self) -> bool {
        self.is_error_terminal
    }

    /// Prints `result` for programs, or lets `people` print it for people.
    ///
    /// # Errors
    /// When standard output can't be written.
    pub fn result<T: Serialize>(
        self,
        result: &T,
        people: impl FnOnce(Self) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if self.is_json { self.json(result) } else { people(self) }
    }

    /// Prints one JSON value on a line.
    ///
    /// # Errors
    /// When standard output can't be written.
    pub fn json<T: Serialize>(self, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(io::Error::from)?;
        self.line(format_args!("{text}"))
    }

    /// Prints a line.
    ///
    /// # Errors
    /// When standard output can't be written.
    pub fn line(self, text: Arguments<'_>) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        writeln!(stdout, "{text}")?;
        stdout.flush()?;
        Ok(())
    }

    /// Prints a value as people take it: a JSON string bare, anything else as JSON. On a terminal nothing in it can steer
    /// the terminal; into a file or pipe it goes as it is.
    ///
    /// # Errors
    /// When standard output can't be written.
    pub fn value(self, value: &Json) -> Result<(), Failure> {
        let text = bare(value);
        if self.is_terminal {
            self.line(format_args!("{}", harmless(&text)))
        } else {
            self.line(format_args!("{text}"))
        }
    }

    /// Waits until whoever reads standard output went away, as `head` does when it has enough: a verb that listens would
    /// notice only at the next event. Never ends where standard output is a file, or the system does not tell (Windows).
    pub async fn reader_left(self) {
        while !reader::is_gone(&io::stdout()) {
            tokio::time::sleep(READER_LOOK_PERIOD).await;
        }
    }

    /// Prints a table, or `none` when it is empty.
    ///
    /// # Errors
    /// When standard output can't be written.
    pub fn table(self, table: &Table, none: &str) -> Result<(), Failure> {
        if table.is_empty() {
            self.note(format_args!("{none}"));
            return Ok(());
        }
        if let Some(header) = table.header() {
            let (bold, plain) = if self.is_coloured { (BOLD, PLAIN) } else { ("", "") };
            self.line(format_args!("{bold}{header}{plain}"))?;
        }
        self.line(format_args!("{}", table.lines().join("\n")))
    }

    /// Tells a person something beside the result, on standard error.
    pub fn note(self, text: Arguments<'_>) {
        // Nobody is left to tell when even this can't be written.
        let _ = writeln!(io::stderr(), "{text}");
    }

    /// Tells of a failure, on standard error.
    pub fn failure(self, report: &Report) {
        if self.is_json {
            self.note(format_args!("{}", report_json(report)));
            return;
        }
        let (red, plain) = if self.is_error_coloured { (RED, PLAIN) } else { ("", "") };
        self.note(format_args!("{red}callboard:{plain} {}: {}", report.what, report.why));
        for line in &report.details {
            self.note(format_args!("  {line}"));
        }
        if let Some(next) = &report.next {
            self.note(format_args!("next: {next}"));
        }
    }
}

/// The failure for programs: the daemon's error object, or one of the same shape without `data`.
fn report_json(report: &Report) -> String {
    #[derive(Serialize)]
    struct Wrapped<'a> {
        error: Object<'a>,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Object<'a> {
        Daemon(&'a callboard_protocol::Error),
        Own { message: String, next: Option<&'a str> },
    }
    let error = match &report.error {
        Some(error) => Object::Daemon(error),
        None => {
            Object::Own { message: format!("{}: {}", report.what, report.why), next: report.next.as_deref() }
        }
    };
    serde_json::to_string(&Wrapped { error }).unwrap_or_default()
}

/// A JSON string without its quotes and escapes; anything else as it is.
pub fn bare(value: &Json) -> String {
    value.to().unwrap_or_else(|_| value.as_str().to_owned())
}

/// `text` with what a terminal would obey shown as escapes; line breaks and tabs stay.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() && !matches!(character, '\n' | '\t') {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// `value`, or `-` where there is none.
pub fn or_dash<T: Display>(value: Option<T>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use callboard_protocol::{Error, ErrorKind};

    use super::*;
    use crate::exit::Exit;

    #[test]
    fn people_read_strings_bare_and_all_else_as_json() {
        let cases = [(r#""a\nb""#, "a\nb"), ("5", "5"), (r#"{"a":"b"}"#, r#"{"a":"b"}"#), ("null", "null")];
        for (json, text) in cases {
            assert_eq!(bare(&Json::parse(json).unwrap()), text);
        }
    }

    #[test]
    fn a_value_can_not_steer_a_terminal() {
        assert_eq!(harmless("a\tb\n\u{1b}[2Jc\r"), "a\tb\n\\u{1b}[2Jc\\r");
    }

    #[test]
    fn programs_get_the_daemon_s_own_error() {
        let error = Error::new(ErrorKind::NotFound, "no such agent").with("what", "agent");
        let Failure::Told(report) = Failure::rpc("show bob", error) else {
            panic!("a failure is told");
        };
        assert_eq!(
            report_json(&report),
            r#"{"error":{"code":-32001,"message":"no such agent","data":{"kind":"not_found","what":"agent"}}}"#
        );
        let Failure::Told(own) = Failure::new(Exit::Usage, "lock a", "no agent").or_next("do this") else {
            panic!("a failure is told");
        };
        assert_eq!(report_json(&own), r#"{"error":{"message":"lock a: no agent","next":"do this"}}"#);
    }
}
