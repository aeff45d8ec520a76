//! Refusing what two agents send each other too fast: a flood, or a conversation that neither of them ends.
//!
//! Only messages to one recipient are looked at, and never an answer that somebody waits for: it ends something.

use callboard_protocol::error::Error;
use callboard_protocol::names::AgentName;

use crate::board::{Board, limit_exceeded};
use crate::inbox::stored::Header;
use crate::now::{Monotonic, Now};

impl Board {
    /// Counts a message that is about to be sent.
    ///
    /// # Errors
    /// `limit_exceeded` (`pair_messages_per_second`, `thread_turns_per_minute`) with `retry_after_ms`.
    pub(super) fn check_storm(&mut self, now: Now, header: &Header, to: &[AgentName]) -> Result<(), Error> {
        let (Some(from), [to]) = (&header.from, to) else { return Ok(()) };
        if from == to {
            return Ok(());
        }
        let limits = &self.config.limits;
        let (per_second, per_minute) = (limits.pair_messages_per_second, limits.thread_turns_per_minute);
        if let Some(thread) = header.thread_id.as_ref().filter(|_| per_minute > 0) {
            let counted = self.storms.count_turn(now.monotonic, from, to, thread.to_string(), per_minute);
            let advice = "two agents keep answering each other in this thread: stop, or begin another one";
            counted.map_err(|ends| storm(now, "thread_turns_per_minute", per_minute, ends, advice))?;
        }
        if per_second > 0 {
            let counted = self.storms.count_message(now.monotonic, from, to, per_second);
            let advice = "send fewer, or put more into each";
            counted.map_err(|ends| storm(now, "pair_messages_per_second", per_second, ends, advice))?;
        }
        Ok(())
    }
}

fn storm(now: Now, limit: &'static str, max: usize, ends: Monotonic, advice: &str) -> Error {
    limit_exceeded(limit, max, max, advice).with("retry_after_ms", ends.ms_left(now.monotonic))
}
