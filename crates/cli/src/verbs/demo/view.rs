//! What one sees while the demo goes on: on a terminal a picture that is drawn anew, elsewhere a line now and then.
//!
//! Invariant: standard output gets no escape code unless it is a terminal, and nothing but the result with `--json`.

use std::fmt::Arguments;
use std::io::{self, IsTerminal as _, Write as _};

use super::ledger::Ledger;
use crate::output::Output;

/// Characters of the bar.
const BAR: usize = 40;
/// Characters of a path.
const PATH: usize = 48;

/// The picture.
pub struct View {
    output: Output,
    total: usize,
    is_live: bool,
    drawn: usize,
    quarters: usize,
}

impl View {
    /// Nothing drawn yet.
    pub fn new(output: Output, total: usize) -> Self {
        let is_live = !output.is_json() && io::stdout().is_terminal();
        Self { output, total, is_live, drawn: 0, quarters: 0 }
    }

    /// Says what happened.
    pub fn say(&mut self, text: Arguments<'_>) {
        self.wipe();
        if !self.output.is_json() {
            // A reader that left is noticed when the result is told.
            let _ = self.output.line(text);
        }
    }

    /// Shows how far it is.
    pub fn draw(&mut self, ledger: &Ledger) {
        let done = ledger.done();
        if !self.is_live {
            let quarters = done * 4 / self.total.max(1);
            if quarters > self.quarters {
                self.quarters = quarters;
                let total = self.total;
                self.say(format_args!("{done} of {total} files done"));
            }
            return;
        }
        self.wipe();
        let filled = done * BAR / self.total.max(1);
        let mut lines = vec![format!(
            "[{}{}] {done} of {} files",
            "#".repeat(filled),
            ".".repeat(BAR - filled),
            self.total
        )];
        for (agent, doing) in ledger.doing.iter().filter(|(agent, _)| agent.starts_with("worker")) {
            let path: String = doing.path.as_deref().unwrap_or("-").chars().take(PATH).collect();
            lines.push(format!(
                "{agent:<10} {:>4} done {:>3} asked {:>3} answered  {path}",
                doing.done, doing.asked, doing.answered
            ));
        }
        self.drawn = lines.len();
        let mut screen = io::stdout().lock();
        // As above: a terminal that is gone is noticed later.
        let _ = writeln!(screen, "{}", lines.join("\n")).and_then(|()| screen.flush());
    }

    /// Shows the end.
    pub fn finish(&mut self, ledger: &Ledger) {
        self.draw(ledger);
        self.drawn = 0;
    }

    /// Takes the last picture away: up so many lines, and clear to the end of the screen.
    fn wipe(&mut self) {
        if self.drawn > 0 {
            let _ = write!(io::stdout(), "\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
    }
}
