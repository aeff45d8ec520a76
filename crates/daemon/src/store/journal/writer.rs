//! The file that the journal is written to at the moment, and those before it that the disk may not have yet.
//!
//! Invariant: a segment is created by the first line that belongs in it, so that a daemon that changes nothing leaves no
//! file behind; a file that failed is not written again.

use std::sync::Arc;

use super::segment::{FORMAT, Header, VERSION, name};
use crate::files::{Volume, VolumeFile};
use crate::store::{StoreError, line};

/// A segment larger than this is followed by the next one, in bytes. Small enough that what a snapshot covers goes soon.
const SEGMENT_BYTES: u64 = 64 << 20;
/// A buffer larger than this is given back once it is empty, in bytes.
const KEPT_BYTES: usize = 1 << 20;

/// The place where lines go.
#[derive(Debug)]
pub(super) struct Writer {
    volume: Arc<dyn Volume>,
    current: Option<Segment>,
    next: u64,
    /// The first segment beside a snapshot that is to end a failure, while it is under way.
    attempt: Option<u64>,
    unsynced: Unsynced,
    spare: Vec<u8>,
}

#[derive(Debug)]
struct Segment {
    number: u64,
    file: Arc<dyn VolumeFile>,
    bytes: u64,
}

/// What has to be synced for all lines so far to be on the disk.
#[derive(Debug)]
pub(super) struct Unsynced {
    volume: Arc<dyn Volume>,
    files: Vec<(u64, Arc<dyn VolumeFile>)>,
    has_new_names: bool,
}

impl Unsynced {
    fn none(volume: Arc<dyn Volume>) -> Self {
        Self { volume, files: Vec::new(), has_new_names: false }
    }

    /// Syncs it. Blocks.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        for (number, file) in &self.files {
            file.sync().map_err(|source| failed(self.volume.as_ref(), *number, source))?;
        }
        if self.has_new_names {
            self.volume.sync_names().map_err(|source| StoreError::write(&self.volume.path_of(""), source))?;
        }
        Ok(())
    }
}

fn failed(volume: &dyn Volume, number: u64, source: std::io::Error) -> StoreError {
    StoreError::write(&volume.path_of(&name(number)), source)
}

impl Writer {
    pub(super) fn new(volume: Arc<dyn Volume>, next: u64) -> Self {
        let unsynced = Unsynced::none(Arc::clone(&volume));
        Self { volume, current: None, next, attempt: None, unsynced, spare: Vec::new() }
    }

    /// Adds lines to the segment; `after` is the position of the last change before them.
    pub(super) fn append(&mut self, lines: &[u8], after: u64) -> Result<(), StoreError> {
        if self.current.as_ref().is_some_and(|segment| segment.bytes >= SEGMENT_BYTES) {
            self.current = None;
        }
        let segment = match &mut self.current {
            Some(segment) => segment,
            None => {
                let segment = begin(self.volume.as_ref(), self.next, after)?;
                self.next += 1;
                self.unsynced.has_new_names = true;
                self.current.insert(segment)
            }
        };
        segment.file.append(lines).map_err(|source| failed(self.volume.as_ref(), segment.number, source))?;
        segment.bytes += lines.len() as u64;
        let is_known = self.unsynced.files.last().is_some_and(|(number, _)| *number == segment.number);
        if !is_known {
            self.unsynced.files.push((segment.number, Arc::clone(&segment.file)));
        }
        Ok(())
    }

    /// Ends the segment; gives the number of the next one.
    pub(super) fn rotate(&mut self) -> u64 {
        self.current = None;
        self.next
    }

    /// Never writes the segment again.
    pub(super) fn abandon(&mut self) {
        self.unsynced = Unsynced::none(Arc::clone(&self.volume));
        self.current = None;
    }

    /// The segments from here on count only together with the snapshot that is begun now.
    pub(super) fn begin_attempt(&mut self) {
        self.attempt = Some(self.next);
    }

    /// That snapshot has ended. Without it, its segments are nobody's: they go.
    pub(super) fn end_attempt(&mut self, is_without_snapshot: bool) {
        let Some(first) = self.attempt.take().filter(|_| is_without_snapshot) else {
            return;
        };
        self.current = None;
        (first..self.next).for_each(|number| remove(self.volume.as_ref(), number));
    }

    /// What has to be synced; whoever takes it syncs it.
    pub(super) fn take_unsynced(&mut self) -> Unsynced {
        std::mem::replace(&mut self.unsynced, Unsynced::none(Arc::clone(&self.volume)))
    }

    pub(super) fn take_spare(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.spare)
    }

    pub(super) fn give_spare(&mut self, spare: Vec<u8>) {
        if spare.capacity() <= KEPT_BYTES {
            self.spare = spare;
        }
    }
}

fn begin(volume: &dyn Volume, number: u64, after: u64) -> Result<Segment, StoreError> {
    let file = volume.create(&name(number)).map_err(|source| failed(volume, number, source))?;
    let mut header = Vec::new();
    let begun = line::encode(&mut header, &Header { format: FORMAT.to_owned(), version: VERSION, after })
        .map_err(std::io::Error::from)
        .and_then(|()| file.append(&header));
    match begun {
        Ok(()) => Ok(Segment { number, file, bytes: header.len() as u64 }),
        Err(source) => {
            // It holds no change, and the next attempt needs the name.
            remove(volume, number);
            Err(failed(volume, number, source))
        }
    }
}

fn remove(volume: &dyn Volume, number: u64) {
    let name = name(number);
    if let Err(error) = volume.remove(&name) {
        tracing::warn!(path = %volume.path_of(&name).display(), %error, "a segment that holds no change could not be removed");
    }
}
