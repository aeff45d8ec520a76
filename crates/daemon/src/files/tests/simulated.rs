//! A disk in memory that tells durable from volatile and fails when a test wants it to.
//!
//! Invariant: after [`SimulatedVolume::cut_power`] there is what was synced, and of the rest whatever the test chose to
//! let through; what a failed sync left behind never becomes durable. It keeps no time: an operation is done at once,
//! or fails.

use std::collections::BTreeMap;
use std::fmt;
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

/// Operations, counted from now on, that fail.
#[derive(Debug, Clone, Copy)]
struct Outage {
    first: u64,
    count: u64,
    fault: Fault,
}

#[derive(Debug, Clone, Default)]
struct Content {
    bytes: Vec<u8>,
    synced: usize,
    /// A sync failed: what was not synced then may be gone, whatever later ones say.
    is_lossy: bool,
}

/// A change of names that a power cut may take back.
#[derive(Debug, Clone)]
enum NameChange {
    Create(String, u64),
    Rename(String, String, u64),
    Remove(String),
}

type Names = BTreeMap<String, u64>;

#[derive(Debug, Clone, Default)]
struct State {
    contents: BTreeMap<u64, Content>,
    files: Names,
    durable: Names,
    unsynced: Vec<NameChange>,
    outage: Option<Outage>,
    /// Operations until the process dies, and how much of the append that it dies in is added, in percent.
    death: Option<(u64, usize)>,
    /// The disk as the death of the process left it.
    left: Option<Box<State>>,
}

type Interruption = Box<dyn FnOnce() + Send>;

/// The disk.
#[derive(Clone, Default)]
pub(crate) struct SimulatedVolume {
    state: Arc<Mutex<State>>,
    interruption: Arc<Mutex<Option<Interruption>>>,
}

impl fmt::Debug for SimulatedVolume {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SimulatedVolume").finish_non_exhaustive()
    }
}

#[derive(Debug)]
struct SimulatedFile {
    id: u64,
    volume: SimulatedVolume,
}

impl NameChange {
    /// The name that it gives or takes.
    fn name(&self) -> &str {
        match self {
            Self::Create(name, _) | Self::Rename(_, name, _) | Self::Remove(name) => name,
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Self::Create(name, id) => {
                names.insert(name.clone(), *id);
            }
            Self::Rename(from, to, id) => {
                if names.get(from) == Some(id) {
                    names.remove(from);
                }
                names.insert(to.clone(), *id);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
        }
    }
}

impl State {
    fn change(&mut self, change: NameChange) {
        change.apply(&mut self.files);
        self.unsynced.push(change);
    }

    fn add(&mut self, name: &str, content: Content) -> u64 {
        let id = self.contents.last_key_value().map_or(0, |(last, _)| last + 1);
        self.contents.insert(id, content);
        self.change(NameChange::Create(name.to_owned(), id));
        id
    }

    /// Counts an operation; an error is how it fails.
    fn begin(&mut self) -> Result<(), Fault> {
        if self.left.is_some() {
            return Err(Fault::Device);
        }
        if let Some((operations, _)) = &mut self.death {
            if *operations == 0 {
                let mut left = self.clone();
                (left.outage, left.death) = (None, None);
                self.left = Some(Box::new(left));
                return Err(Fault::Device);
            }
            *operations -= 1;
        }
        let Some(Outage { first, count, fault }) = &mut self.outage else { return Ok(()) };
        if *first > 0 {
            *first -= 1;
            return Ok(());
        }
        let fault = *fault;
        *count = count.saturating_sub(1);
        if *count == 0 {
            self.outage = None;
        }
        Err(fault)
    }
}

impl SimulatedVolume {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn of(state: State) -> Self {
        Self { state: Arc::new(Mutex::new(state)), interruption: Arc::default() }
    }

    /// Lets so many changing operations succeed, and fails all after them.
    pub(crate) fn fail_after(&self, operations: u64, fault: Fault) {
        self.fail_between(operations, u64::MAX, fault);
    }

    /// Lets so many changing operations succeed, and fails `count` after them.
    pub(crate) fn fail_between(&self, operations: u64, count: u64, fault: Fault) {
        self.state().outage = Some(Outage { first: operations, count, fault });
    }

    /// Ends the failing.
    pub(crate) fn mend(&self) {
        self.state().outage = None;
    }

    /// After so many changing operations the process is dead: nothing that it does counts any more. Of an append that
    /// it dies in, `portion_percent` is added.
    pub(crate) fn die_after(&self, operations: u64, portion_percent: usize) {
        self.state().death = Some((operations, portion_percent));
    }

    /// The disk as the process left it, once it has died.
    pub(crate) fn left(&self) -> Option<Self> {
        self.state().left.as_deref().cloned().map(Self::of)
    }

    /// Each file with its size, how much of it was synced, and whether its name was; for people.
    pub(crate) fn listing(&self) -> String {
        let state = self.state();
        let files = state.files.iter().map(|(name, id)| {
            let content = &state.contents[id];
            let (bytes, synced) = (content.bytes.len(), content.synced);
            let is_durable = state.durable.get(name) == Some(id);
            format!("\n      {name}: {synced} of {bytes} synced, name {is_durable}")
        });
        files.collect()
    }

    /// A disk with the same on it, that works.
    pub(crate) fn copied(&self) -> Self {
        Self::of(State { outage: None, death: None, left: None, ..self.state().clone() })
    }

    /// Does something in the middle of the next sync of a file: before it is done, after it began.
    pub(crate) fn interrupt_sync(&self, interruption: impl FnOnce() + Send + 'static) {
        *self.interruption.lock().unwrap() = Some(Box::new(interruption));
    }

    /// The next sync is not interrupted after all.
    pub(crate) fn leave_sync_alone(&self) {
        *self.interruption.lock().unwrap() = None;
    }

    /// What is in a file now.
    pub(crate) fn content(&self, name: &str) -> Option<Vec<u8>> {
        let state = self.state();
        let id = state.files.get(name)?;
        Some(state.contents[id].bytes.clone())
    }

    /// Puts a file there, durably, whatever was there before.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        let mut state = self.state();
        let content = Content { bytes: bytes.to_vec(), synced: bytes.len(), is_lossy: false };
        let id = state.add(name, content);
        state.durable.insert(name.to_owned(), id);
    }

    /// The disk as the next start finds it after a power cut. `keeps_name` decides for each change of a name that was
    /// not synced, in their order, whether it went through; `survives` is handed each file's bytes and how many of
    /// them were synced, and gives what is left.
    pub(crate) fn cut_power(
        &self,
        mut keeps_name: impl FnMut(&str) -> bool,
        mut survives: impl FnMut(&[u8], usize) -> Vec<u8>,
    ) -> Self {
        let state = self.state();
        let mut names = state.durable.clone();
        for change in &state.unsynced {
            if keeps_name(change.name()) {
                change.apply(&mut names);
            }
        }
        let after = Self::default();
        for (name, id) in &names {
            let content = &state.contents[id];
            after.put(name, &survives(&content.bytes, content.synced));
        }
        after.state().unsynced.clear();
        after
    }

    fn begin(&self) -> io::Result<()> {
        self.state().begin().map_err(error_of)
    }
}

fn error_of(fault: Fault) -> io::Error {
    match fault {
        Fault::StorageFull => io::ErrorKind::StorageFull.into(),
        Fault::Device => io::Error::other("the device failed"),
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
        let id = state.add(name, Content::default());
        Ok(Arc::new(SimulatedFile { id, volume: self.clone() }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.begin()?;
        let mut state = self.state();
        let id = *state.files.get(from).ok_or_else(missing)?;
        state.change(NameChange::Rename(from.to_owned(), to.to_owned(), id));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        // Removing needs no room, and a failing device is met by the operations around it.
        let mut state = self.state();
        if !state.files.contains_key(name) {
            return Err(missing());
        }
        state.change(NameChange::Remove(name.to_owned()));
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        self.begin()?;
        let mut state = self.state();
        state.durable = state.files.clone();
        state.unsynced.clear();
        Ok(())
    }

    fn free_bytes(&self) -> Option<u64> {
        None
    }
}

impl VolumeFile for SimulatedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.volume.state();
        let was_alive = state.left.is_none();
        let begun = state.begin();
        let added = match begun {
            Ok(()) => bytes,
            Err(Fault::StorageFull) => &bytes[..bytes.len() / 2],
            Err(Fault::Device) => &[],
        };
        let portion = state.death.map_or(0, |(_, portion)| bytes.len() * portion / 100);
        if was_alive && let Some(left) = state.left.as_mut().and_then(|left| left.contents.get_mut(&self.id))
        {
            left.bytes.extend_from_slice(&bytes[..portion]);
        }
        if let Some(content) = state.contents.get_mut(&self.id) {
            content.bytes.extend_from_slice(added);
        }
        begun.map_err(error_of)
    }

    fn sync(&self) -> io::Result<()> {
        let begun = self.volume.begin();
        let covered = self.volume.state().contents[&self.id].bytes.len();
        let interruption = self.volume.interruption.lock().unwrap().take();
        if let Some(interrupt) = interruption {
            interrupt();
        }
        let mut state = self.volume.state();
        if let Some(content) = state.contents.get_mut(&self.id) {
            match begun {
                Ok(()) if !content.is_lossy => content.synced = content.synced.max(covered),
                Ok(()) => {}
                Err(_) => content.is_lossy = true,
            }
        }
        begun
    }
}
