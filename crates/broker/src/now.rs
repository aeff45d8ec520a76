//! Time as the board is handed it. The board reads no clock.

use std::fmt;

/// An instant on the one clock that all TTLs run on, in microseconds since some start. Wall-clock changes can't move
/// it, and it stands still while the machine sleeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Monotonic(pub u64);

impl Monotonic {
    /// The instant `ms` milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms.saturating_mul(1000)))
    }

    /// Whole milliseconds from `earlier` until this instant; 0 when it is not later.
    #[must_use]
    pub fn ms_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0) / 1000
    }

    /// Milliseconds from `now` until this instant, rounded up: something live never shows 0.
    #[must_use]
    pub fn ms_left(self, now: Self) -> u64 {
        self.0.saturating_sub(now.0).div_ceil(1000)
    }
}

/// The moment of a call: deadlines are reckoned in the first clock, records and answers in the second.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// The clock that deadlines run on.
    pub monotonic: Monotonic,
    /// The wall clock, in Unix milliseconds.
    pub unix_ms: u64,
}

impl Now {
    /// The wall-clock time of a deadline, as seen at this moment.
    #[must_use]
    pub fn unix_of(&self, due: Monotonic) -> u64 {
        if due >= self.monotonic {
            self.unix_ms.saturating_add(due.ms_left(self.monotonic))
        } else {
            self.unix_ms.saturating_sub(self.monotonic.ms_since(due))
        }
    }

    /// A wall-clock time in the past on the clock that deadlines run on; that clock may have started later.
    #[must_use]
    pub fn past(&self, unix_ms: u64) -> Monotonic {
        let ago_ms = self.unix_ms.saturating_sub(unix_ms);
        Monotonic(self.monotonic.0.saturating_sub(ago_ms.saturating_mul(1000)))
    }

    /// The deadline of a wall-clock time, as seen at this moment; for what a restart brings back.
    #[must_use]
    pub fn due_at(&self, unix_ms: u64) -> Monotonic {
        self.monotonic.plus_ms(unix_ms.saturating_sub(self.unix_ms))
    }
}

impl fmt::Debug for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}us/{}", self.monotonic.0, self.unix_ms)
    }
}
