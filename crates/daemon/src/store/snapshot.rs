//! Snapshots: the whole state in one sealed file, and which of these files there are.
//!
//! Invariant: a snapshot appears whole, under a number larger than all before it, and the last two stay. The newest one
//! alone is read; if it is damaged, that is an error for a person to decide on, never a reason to fall back silently. One
//! writer is assumed: the holder of the instance lock.

use std::fs::{self, File};
use std::io;
use std::sync::Arc;

use serde::Serialize;

use super::StoreError;
use super::sealed::{SealedFormat, SealedReader, Written};
use crate::files::{PrivateDirectory, Sink};

const FORMAT: SealedFormat = SealedFormat {
    name: "callboard-snapshot",
    version: 1,
    advice: "move this snapshot out of the store to start from the one before it, or all of them to start empty",
};
/// How many snapshots are kept: the newest, and one to fall back on by hand.
const KEPT: usize = 2;
/// Digits of the number in a name: all of a `u64`, so that names sort as numbers.
const NUMBER_DIGITS: usize = 20;

/// The snapshots in a directory.
#[derive(Debug)]
pub struct Snapshots {
    directory: Arc<PrivateDirectory>,
}

impl Snapshots {
    /// The snapshots in `directory`.
    #[must_use]
    pub fn of(directory: Arc<PrivateDirectory>) -> Self {
        Self { directory }
    }

    /// Writes a snapshot under the next number: a header with the members of `meta` (a struct or a map, without `format`
    /// and `version`), a line for each record, a footer. It is durable on return; then all but the last two are removed.
    /// Blocks; the records are drawn from the iterator one at a time.
    ///
    /// # Errors
    /// [`StoreError::Write`] for a full disk, for instance: the snapshots before are untouched and nothing is left of this one.
    pub fn write<M, T>(
        &mut self,
        meta: &M,
        records: impl IntoIterator<Item = T>,
    ) -> Result<Written, StoreError>
    where
        M: Serialize,
        T: Serialize,
    {
        self.write_through(|file| file, meta, records)
    }

    fn write_through<S, M, T>(
        &mut self,
        wrap: impl FnOnce(File) -> S,
        meta: &M,
        records: impl IntoIterator<Item = T>,
    ) -> Result<Written, StoreError>
    where
        S: Sink,
        M: Serialize,
        T: Serialize,
    {
        let present = self.numbers()?;
        let number = match present.last() {
            Some(&last) => last.checked_add(1).ok_or_else(|| self.exhausted(last))?,
            None => 1,
        };
        let written = FORMAT.write(&self.directory, &name(number), wrap, meta, records)?;
        self.remove_old(&present);
        Ok(written)
    }

    /// Opens the newest snapshot and reads its header; `None` when there is no snapshot.
    ///
    /// # Errors
    /// [`StoreError::Version`] when a newer program wrote it, [`StoreError::Damaged`] when the header is no header.
    pub fn open_newest(&self) -> Result<Option<SealedReader>, StoreError> {
        match self.numbers()?.last() {
            Some(&number) => FORMAT.open(self.directory.join(&name(number))),
            None => Ok(None),
        }
    }

    /// The numbers of the snapshots that are there, ascending. Other names are not ours and are left alone.
    fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        let path = self.directory.path();
        let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
        let entries = entries.map_err(|source| StoreError::read(path, source))?;
        let mut numbers: Vec<u64> =
            entries.iter().filter_map(|entry| entry.file_name().to_str().and_then(number)).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// `present` are those from before the newest. A file that cannot be removed costs room and nothing else.
    fn remove_old(&self, present: &[u64]) {
        let old = present.len().saturating_sub(KEPT - 1);
        for &number in &present[..old] {
            let path = self.directory.join(&name(number));
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an old snapshot could not be removed");
            }
        }
    }

    fn exhausted(&self, last: u64) -> StoreError {
        StoreError::Exhausted { path: self.directory.join(&name(last)), last }
    }
}

fn name(number: u64) -> String {
    format!("snapshot-{number:0NUMBER_DIGITS$}.jsonl")
}

fn number(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("snapshot-")?.strip_suffix(".jsonl")?;
    let is_ours = digits.len() == NUMBER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_ours)
}

#[cfg(test)]
mod tests;
