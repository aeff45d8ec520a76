//! Message storms: two agents that answer each other without end, and one that floods another.
//!
//! Invariant: all windows of a kind have one length, so they end in the order in which they began; what is over is gone
//! before anything is counted. At most `WINDOWS_MAX` of a kind are kept: then the oldest go. Nothing of this survives a
//! restart; it is no state that anybody could miss.

use std::collections::{BTreeMap, VecDeque};

use callboard_protocol::names::AgentName;

use crate::now::Monotonic;

/// The window in which messages of a pair are counted, in milliseconds.
pub const PAIR_WINDOW_MS: u64 = 1000;
/// The window in which turns of a thread are counted, in milliseconds.
pub const THREAD_WINDOW_MS: u64 = 60_000;

/// How many pairs, and how many threads, are watched at once.
const WINDOWS_MAX: usize = 100_000;
/// What each costs, in bytes.
const WINDOW_BYTES: usize = 300;

/// What was counted since a window began.
#[derive(Debug)]
struct Window {
    ends: Monotonic,
    count: usize,
    last_from: Option<AgentName>,
}

impl Window {
    fn count(&mut self, max: usize) -> Result<(), Monotonic> {
        if self.count >= max {
            return Err(self.ends);
        }
        self.count += 1;
        Ok(())
    }
}

/// The windows of a kind.
#[derive(Debug)]
struct Windows<K> {
    table: BTreeMap<K, Window>,
    order: VecDeque<(Monotonic, K)>,
}

impl<K> Default for Windows<K> {
    fn default() -> Self {
        Self { table: BTreeMap::new(), order: VecDeque::new() }
    }
}

impl<K: Ord + Clone> Windows<K> {
    /// The window that is open, or a new one.
    fn open(&mut self, now: Monotonic, key: K, window_ms: u64) -> &mut Window {
        while let Some((ends, oldest)) = self.order.front()
            && (*ends <= now || self.order.len() > WINDOWS_MAX)
        {
            self.table.remove(oldest);
            self.order.pop_front();
        }
        let ends = now.plus_ms(window_ms);
        if !self.table.contains_key(&key) {
            self.order.push_back((ends, key.clone()));
        }
        self.table.entry(key).or_insert(Window { ends, count: 0, last_from: None })
    }
}

/// What was counted of late.
#[derive(Debug, Default)]
pub struct Storms {
    pairs: Windows<(AgentName, AgentName)>,
    threads: Windows<(AgentName, AgentName, String)>,
}

impl Storms {
    /// Counts a message from one agent to another.
    ///
    /// # Errors
    /// When there were `max` within a second already: when that is over. Nothing is counted.
    pub fn count_message(
        &mut self,
        now: Monotonic,
        from: &AgentName,
        to: &AgentName,
        max: usize,
    ) -> Result<(), Monotonic> {
        self.pairs.open(now, (from.clone(), to.clone()), PAIR_WINDOW_MS).count(max)
    }

    /// Counts a message of a thread between two agents, if it is a turn: goes the other way than the one before.
    ///
    /// # Errors
    /// When there were `max` turns within a minute already: when that is over. Nothing is counted.
    pub fn count_turn(
        &mut self,
        now: Monotonic,
        from: &AgentName,
        to: &AgentName,
        thread: String,
        max: usize,
    ) -> Result<(), Monotonic> {
        let (first, second) = if from <= to { (from, to) } else { (to, from) };
        let window = self.threads.open(now, (first.clone(), second.clone(), thread), THREAD_WINDOW_MS);
        if window.last_from.as_ref() != Some(from) {
            window.count(max)?;
            window.last_from = Some(from.clone());
        }
        Ok(())
    }

    /// What is kept, in bytes as accounted.
    #[must_use]
    pub fn bytes(&self) -> usize {
        (self.pairs.order.len() + self.threads.order.len()) * WINDOW_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_goes_and_no_more_than_the_most_is_kept() {
        let name = |name: &str| AgentName::new(name).unwrap();
        let (ada, bob) = (name("ada"), name("bob"));
        let mut storms = Storms::default();
        for thread in 0..WINDOWS_MAX + 10 {
            assert!(storms.count_turn(Monotonic(0), &ada, &bob, thread.to_string(), 1).is_ok());
        }
        assert!(storms.bytes() <= (WINDOWS_MAX + 1) * WINDOW_BYTES);
        let over = Monotonic(0).plus_ms(THREAD_WINDOW_MS);
        assert_eq!(storms.count_turn(Monotonic(1), &bob, &ada, "50000".to_owned(), 1), Err(over));
        assert!(storms.count_turn(over, &bob, &ada, "50000".to_owned(), 1).is_ok());
        assert_eq!(storms.bytes(), WINDOW_BYTES);
    }
}
