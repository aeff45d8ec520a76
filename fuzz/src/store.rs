//! The readers of the store: whatever is in a file, it is read or refused, and what was read can be written and read again.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use callboard_broker::{Board, BoardConfig, ImageCursor, Monotonic, Now, Record};
use callboard_daemon::files::{Volume, VolumeFile};
use callboard_daemon::recovery::recover;
use callboard_daemon::store::{Forgiven, Opened, StoreError, read_journal};
use callboard_protocol::revision::Revision;

use crate::must;

/// When the files are read.
const NOW: Now = Now { monotonic: Monotonic(1_000_000), unix_ms: 1_800_000_000_000 };

/// A snapshot file: it is read or refused; a board that was read can be read again from its own image.
///
/// # Panics
/// When it can not.
pub fn snapshot(bytes: &[u8]) {
    let volume = Memory::with("snapshot-00000000000000000001.jsonl", bytes);
    let Ok(mut opened) = Opened::at(Arc::new(volume)) else { return };
    if let Ok(recovered) = recover(&mut opened, Forgiven::TornEnd, &BoardConfig::default(), NOW) {
        recovered.boards.values().for_each(|board| check_image(board, NOW));
    }
}

/// A segment of the journal: it is read or refused; cut where it is torn, it is read to its end and gives the same.
///
/// # Panics
/// When it does not.
pub fn journal(bytes: &[u8]) {
    let volume: Arc<dyn Volume> = Arc::new(Memory::with("journal-00000000000000000000.jsonl", bytes));
    let read = || {
        let mut records: Vec<Record> = Vec::new();
        let replayed = read_journal(volume.as_ref(), 0, 0, Forgiven::TornEnd, |_, more| {
            records.extend(more);
            Ok::<(), StoreError>(())
        })?;
        Ok::<_, StoreError>((replayed, records))
    };
    let Ok((replayed, records)) = read() else { return };
    let Some(tear) = &replayed.tear else { return };
    must(tear.cut(&volume));
    let (again, same) = must(read());
    assert!(again.tear.is_none());
    assert_eq!((again.last, same), (replayed.last, records));
}

/// A board's image makes a board with the same image.
///
/// # Panics
/// When it does not.
pub fn check_image(board: &Board, now: Now) {
    let image = image_of(board, now);
    let mut restored = Board::restoring(BoardConfig::default(), Revision(0));
    image.iter().for_each(|record| must(restored.restore(now, record.clone())));
    restored.finish_restore(now);
    let mut again = Board::restoring(BoardConfig::default(), Revision(0));
    let second = image_of(&restored, now);
    second.iter().for_each(|record| must(again.restore(now, record.clone())));
    again.finish_restore(now);
    assert_eq!(image_of(&again, now), second);
}

fn image_of(board: &Board, now: Now) -> Vec<Record> {
    let mut cursor = ImageCursor::default();
    let mut records = Vec::new();
    while cursor != ImageCursor::End {
        records.extend(board.image_slice(now, &mut cursor, 16));
    }
    records
}

/// Files in memory.
#[derive(Debug, Default)]
struct Memory {
    files: Mutex<BTreeMap<String, Arc<MemoryFile>>>,
}

#[derive(Debug, Default)]
struct MemoryFile {
    bytes: Mutex<Vec<u8>>,
}

impl Memory {
    fn with(name: &str, bytes: &[u8]) -> Self {
        let file = Arc::new(MemoryFile { bytes: Mutex::new(bytes.to_vec()) });
        Self { files: Mutex::new(BTreeMap::from([(name.to_owned(), file)])) }
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Arc<MemoryFile>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Volume for Memory {
    fn path_of(&self, name: &str) -> PathBuf {
        name.into()
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.files().keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let file = self.files().get(name).map(Arc::clone).ok_or_else(missing)?;
        let bytes = file.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn VolumeFile>> {
        let file = Arc::<MemoryFile>::default();
        self.files().insert(name.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let file = self.files().remove(from).ok_or_else(missing)?;
        self.files().insert(to.to_owned(), file);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.files().remove(name).map(drop).ok_or_else(missing)
    }

    fn sync_names(&self) -> io::Result<()> {
        Ok(())
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

impl VolumeFile for MemoryFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
