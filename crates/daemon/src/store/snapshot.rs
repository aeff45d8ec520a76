//! Snapshots: the whole state in one sealed file, and which of these files there are.
//!
//! Invariant: a snapshot appears whole, under a number larger than all before it, and the last two stay. The newest one
//! alone is read; if it is damaged, that is an error for a person to decide on, never a reason to fall back silently. One
//! writer is assumed: the holder of the instance lock.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::StoreError;
use super::sealed::{SealedFormat, SealedReader, SealedWriter};
use crate::files::Volume;

/// Version 2 added `journal` and `position`: a program that does not know them would ignore the journal.
pub(super) const FORMAT: SealedFormat = SealedFormat {
    name: "callboard-snapshot",
    version: 2,
    advice: "move this snapshot out of the store to start from the one before it, or all of them to start empty",
};
/// How many snapshots are kept: the newest, and one to fall back on by hand.
const KEPT: usize = 2;
/// Digits of the number in a name: all of a `u64`, so that names sort as numbers.
const NUMBER_DIGITS: usize = 20;

/// What a snapshot's header says besides its format.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotMeta {
    /// The instance that wrote it.
    pub instance_id: String,
    /// When it was begun, in Unix milliseconds.
    pub written_at: u64,
    /// The first journal segment that is not in it, whole.
    #[serde(default)]
    pub journal: u64,
    /// The position of the last change before that segment.
    #[serde(default)]
    pub position: u64,
}

/// The snapshots in a directory.
#[derive(Debug)]
pub struct Snapshots {
    volume: Arc<dyn Volume>,
}

impl Snapshots {
    /// The snapshots in `volume`.
    #[must_use]
    pub fn of(volume: Arc<dyn Volume>) -> Self {
        Self { volume }
    }

    /// Begins a snapshot under the next number: a header with the members of `meta`, a line for each record, a footer.
    /// It is there once it was committed; until then those before it stand.
    ///
    /// # Errors
    /// [`StoreError::Write`] for a full disk, for instance.
    pub fn begin(&self, meta: &SnapshotMeta) -> Result<SealedWriter, StoreError> {
        let number = match self.numbers()?.last() {
            Some(&last) => last.checked_add(1).ok_or_else(|| self.exhausted(last))?,
            None => 1,
        };
        FORMAT.begin(&self.volume, &name(number), meta)
    }

    /// Opens the newest snapshot and reads its header; `None` when there is no snapshot.
    ///
    /// # Errors
    /// [`StoreError::Version`] when a newer program wrote it, [`StoreError::Damaged`] when the header is no header.
    pub fn open_newest(&self) -> Result<Option<SealedReader>, StoreError> {
        match self.numbers()?.last() {
            Some(&number) => FORMAT.open(self.volume.as_ref(), &name(number)),
            None => Ok(None),
        }
    }

    /// The names of the snapshots that are there, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Read`].
    pub fn names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.numbers()?.into_iter().map(name).collect())
    }

    /// Removes all but the last two; gives the first journal segment that one of these two needs. A file that cannot be
    /// removed costs room and nothing else.
    ///
    /// # Errors
    /// [`StoreError`] when the older of the two can't be read: then no segment must be removed.
    pub fn remove_old(&self) -> Result<u64, StoreError> {
        let present = self.numbers()?;
        let (old, kept) = present.split_at(present.len().saturating_sub(KEPT));
        for &number in old {
            if let Err(error) = self.volume.remove(&name(number)) {
                let path = self.volume.path_of(&name(number));
                tracing::warn!(path = %path.display(), %error, "an old snapshot could not be removed");
            }
        }
        let mut first_needed = 0;
        if let Some(&oldest) = kept.first()
            && let Some(reader) = FORMAT.open(self.volume.as_ref(), &name(oldest))?
        {
            first_needed = reader.meta::<SnapshotMeta>()?.journal;
        }
        Ok(first_needed)
    }

    /// The numbers of the snapshots that are there, ascending. Other names are not ours and are left alone.
    fn numbers(&self) -> Result<Vec<u64>, StoreError> {
        numbered(self.volume.as_ref(), number)
    }

    fn exhausted(&self, last: u64) -> StoreError {
        StoreError::Exhausted { path: self.volume.path_of(&name(last)), last }
    }
}

/// The numbers of the files whose name has one, ascending.
pub(super) fn numbered(
    volume: &dyn Volume,
    number: impl Fn(&str) -> Option<u64>,
) -> Result<Vec<u64>, StoreError> {
    let names = volume.names().map_err(|source| StoreError::read(&volume.path_of(""), source))?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// `KIND-NUMBER.jsonl`, with all digits.
pub(super) fn file_name(kind: &str, number: u64) -> String {
    format!("{kind}-{number:0NUMBER_DIGITS$}.jsonl")
}

/// The number in a name that [`file_name`] made.
pub(super) fn file_number(kind: &str, name: &str) -> Option<u64> {
    let digits = name.strip_prefix(kind)?.strip_prefix('-')?.strip_suffix(".jsonl")?;
    let is_ours = digits.len() == NUMBER_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_ours)
}

fn name(number: u64) -> String {
    file_name("snapshot", number)
}

fn number(name: &str) -> Option<u64> {
    file_number("snapshot", name)
}

#[cfg(test)]
mod tests;
