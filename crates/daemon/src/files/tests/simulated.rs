//! A disk in memory that tells durable from volatile and fails when a test wants it to.
//!
//! Invariant: after [`SimulatedVolume::cut_power`] there is what was synced, and of the rest whatever the test chose to
//! let through. It keeps no time: an operation is done at once or fails.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{Volume, VolumeFile};

/// What a failing operation fails with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No room: of an append only the first half is added.
    StorageFull,
    /// The device reports an error.
    Device,
}

#[derive(Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
}

#[derive(Debug, Default)]
struct State {
    files: BTreeMap<String, Arc<Mutex<Content>>>,
    durable: BTreeMap<String, Arc<Mutex<Content>>>,
    /// Operations that still succeed, and how the ones after them fail.
    fault: Option<(u64, Fault)>,
}

/// The disk.
#[derive(Debug, Clone, Default)]
pub(crate) struct SimulatedVolume {
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct SimulatedFile {
    content: Arc<Mutex<Content>>,
    volume: SimulatedVolume,
}

impl SimulatedVolume {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Lets so many changing operations succeed, and fails all after them.
    pub(crate) fn fail_after(&self, operations: u64, fault: Fault) {
        self.state().fault = Some((operations, fault));
    }

    /// Ends the failing.
    pub(crate) fn mend(&self) {
        self.state().fault = None;
    }

    /// What is in a file now.
    pub(crate) fn content(&self, name: &str) -> Option<Vec<u8>> {
        let content = self.state().files.get(name).map(Arc::clone)?;
        let bytes = content.lock().unwrap().bytes.clone();
        Some(bytes)
    }

    /// Puts a file there, durably, whatever was there before.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let content = Content { bytes: bytes.to_vec(), synced: bytes.len() };
        let content = Arc::new(Mutex::new(content));
        let mut state = self.state();
        state.files.insert(name.to_owned(), Arc::clone(&content));
        state.durable.insert(name.to_owned(), content);
    }

    /// The disk as the next start finds it after a power cut. `keeps_name` decides for each name that was not synced
    /// whether its change went through; `survives` is handed each file's bytes and how many of them were synced, and
    /// gives what is left.
    pub(crate) fn cut_power(
        &self,
        mut keeps_name: impl FnMut(&str) -> bool,
        mut survives: impl FnMut(&[u8], usize) -> Vec<u8>,
    ) -> Self {
        let state = self.state();
        let all: std::collections::BTreeSet<&String> =
            state.files.keys().chain(state.durable.keys()).collect();
        let after = Self::default();
        for name in all {
            let (now, durable) = (state.files.get(name), state.durable.get(name));
            let is_same = matches!((now, durable), (Some(now), Some(durable)) if Arc::ptr_eq(now, durable));
            let kept = if is_same || keeps_name(name) { now } else { durable };
            if let Some(content) = kept {
                let content = content.lock().unwrap();
                after.put(name, &survives(&content.bytes, content.synced));
            }
        }
        after
    }

    fn begin(&self) -> io::Result<()> {
        let mut state = self.state();
        match &mut state.fault {
            None => Ok(()),
            Some((0, Fault::StorageFull)) => Err(io::ErrorKind::StorageFull.into()),
            Some((0, Fault::Device)) => Err(io::Error::other("the device failed")),
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
        }
    }
}

fn missing() -> io::Error {
    io::ErrorKind::NotFound.into()
}

impl Volume for SimulatedVolume {
    fn path_of(&self, name: &str) -> PathBuf {
        PathBuf::from("/simulated").join(name)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        Ok(self.state().files.keys().cloned().collect())
    }

    fn read(&self, name: &str) -> io::Result<Box<dyn Read + Send>> {
        let bytes = self.content(name).ok_or_else(missing)?;
        Ok(Box::new(Cursor::new(bytes)))
    }

    fn create(&self, name: &str) -> io::Result<Arc<dyn VolumeFile>> {
        self.begin()?;
        let mut state = self.state();
        if state.files.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let content = Arc::<Mutex<Content>>::default();
        state.files.insert(name.to_owned(), Arc::clone(&content));
        Ok(Arc::new(SimulatedFile { content, volume: self.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.begin()?;
        let mut state = self.state();
        let content = state.files.remove(from).ok_or_else(missing)?;
        state.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        // Removing needs no room, and a failing device is met by the operations around it.
        self.state().files.remove(name).map(drop).ok_or_else(missing)
    }

    fn sync_names(&self) -> io::Result<()> {
        self.begin()?;
        let mut state = self.state();
        state.durable = state.files.clone();
        Ok(())
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

impl VolumeFile for SimulatedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let begun = self.volume.begin();
        let is_full = begun.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::StorageFull);
        let added = match &begun {
            Ok(()) => bytes,
            Err(_) if is_full => &bytes[..bytes.len() / 2],
            Err(_) => &[],
        };
        self.content.lock().unwrap().bytes.extend_from_slice(added);
        begun
    }

    fn sync(&self) -> io::Result<()> {
        self.volume.begin()?;
        let mut content = self.content.lock().unwrap();
        content.synced = content.bytes.len();
        Ok(())
    }
}
