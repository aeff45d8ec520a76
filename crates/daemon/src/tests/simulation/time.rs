//! The two clocks of a run. The first one starts anew with each start of the daemon; the second may be moved.

use callboard_broker::{Monotonic, Now};

use crate::clock::START_US;

/// See the module.
#[derive(Debug)]
pub struct Time {
    monotonic_us: u64,
    /// The wall clock minus the other one, in milliseconds.
    offset_ms: i64,
    /// The least and the largest distance since the last start.
    offsets_ms: (i64, i64),
}

impl Time {
    /// Some moment in 2023.
    pub fn new() -> Self {
        let offset_ms = 700_000_000_000;
        Self { monotonic_us: START_US, offset_ms, offsets_ms: (offset_ms, offset_ms) }
    }

    /// This moment.
    pub fn now(&self) -> Now {
        let elapsed_ms = i64::try_from(self.monotonic_us / 1000).unwrap();
        let unix_ms = u64::try_from(elapsed_ms + self.offset_ms).unwrap();
        Now { monotonic: Monotonic(self.monotonic_us), unix_ms }
    }

    /// Time passes.
    pub fn pass_us(&mut self, us: u64) {
        self.monotonic_us += us;
    }

    /// Somebody sets the wall clock.
    pub fn move_wall_clock(&mut self, by_ms: i64) {
        self.offset_ms += by_ms;
        let (least, largest) = self.offsets_ms;
        self.offsets_ms = (least.min(self.offset_ms), largest.max(self.offset_ms));
    }

    /// How far the wall clock was moved since the last start, in milliseconds.
    pub fn moved_ms(&self) -> u64 {
        self.offsets_ms.1.abs_diff(self.offsets_ms.0)
    }

    /// The daemon starts again after some time, and needs some for it. Gives the least and the largest distance while it ran.
    pub fn restart(&mut self, down_ms: u64, started_us: u64) -> (i64, i64) {
        let offsets_ms = self.offsets_ms;
        let unix_ms = i64::try_from(self.now().unix_ms + down_ms).unwrap();
        self.monotonic_us = START_US + started_us;
        self.offset_ms = unix_ms - i64::try_from(self.monotonic_us / 1000).unwrap();
        self.offsets_ms = (self.offset_ms, self.offset_ms);
        offsets_ms
    }
}
