//! The revisions that may have been given out, in blocks: `revisions.jsonl`, from namespace to ceiling.
//!
//! Invariant: a revision is given out only below a ceiling that is on the disk, so that after any crash a namespace goes on
//! from its ceiling and no revision, and no fencing token, is ever given out twice. A ceiling never falls, also when the
//! namespace is cleared.

use std::collections::BTreeMap;
use std::sync::Arc;

use callboard_protocol::Namespace;
use serde::{Deserialize, Serialize};

use super::StoreError;
use super::sealed::SealedFormat;
use crate::files::Volume;

const FORMAT: SealedFormat = SealedFormat {
    name: "callboard-revisions",
    version: 1,
    advice: "restore it from a backup; or move it out of the store together with all snapshots, to start empty",
};

/// One line of the file.
#[derive(Serialize, Deserialize)]
struct Entry {
    namespace: Namespace,
    ceiling: u64,
}

/// The header has nothing beyond format and version.
#[derive(Serialize)]
struct Meta {}

/// The ceilings of all namespaces, in memory as on the disk.
#[derive(Debug)]
pub struct Revisions {
    volume: Arc<dyn Volume>,
    ceilings: BTreeMap<Namespace, u64>,
}

impl Revisions {
    /// The file's name in the store.
    pub const FILE_NAME: &str = "revisions.jsonl";

    /// Reads the ceilings in `volume`; there are none when the file is missing.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] and [`StoreError::Version`]; starting without the ceilings could give a token twice.
    pub fn load(volume: Arc<dyn Volume>) -> Result<Self, StoreError> {
        let mut ceilings = BTreeMap::new();
        if let Some(mut file) = FORMAT.open(volume.as_ref(), Self::FILE_NAME)? {
            while let Some(Entry { namespace, ceiling }) = file.next_record()? {
                ceilings.insert(namespace, ceiling);
            }
        }
        Ok(Self { volume, ceilings })
    }

    /// The first revision of `namespace` that was certainly never given out before this start; 0 if it is unknown.
    #[must_use]
    pub fn ceiling(&self, namespace: &Namespace) -> u64 {
        self.ceilings.get(namespace).copied().unwrap_or(0)
    }

    /// All ceilings.
    #[must_use]
    pub fn all(&self) -> &BTreeMap<Namespace, u64> {
        &self.ceilings
    }

    /// Reserves `block` revisions from `from` on, and returns the new ceiling once it is on the disk: revisions below it may
    /// be given out. A ceiling that is higher already stays, and nothing is written. Blocks for two fsyncs.
    ///
    /// # Errors
    /// [`StoreError::Write`]: nothing may be given out beyond the old ceiling. [`StoreError::Exhausted`]: no `u64` is left.
    pub fn reserve(&mut self, namespace: &Namespace, from: u64, block: u64) -> Result<u64, StoreError> {
        let present = self.ceiling(namespace);
        let Some(wanted) = from.checked_add(block) else {
            return Err(StoreError::Exhausted { path: self.volume.path_of(Self::FILE_NAME), last: from });
        };
        if wanted <= present {
            return Ok(present);
        }
        let mut ceilings = self.ceilings.clone();
        ceilings.insert(namespace.clone(), wanted);
        let mut file = FORMAT.begin(&self.volume, Self::FILE_NAME, &Meta {})?;
        for (namespace, &ceiling) in &ceilings {
            file.write(&Entry { namespace: namespace.clone(), ceiling })?;
        }
        file.commit()?;
        self.ceilings = ceilings;
        Ok(wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::simulated::{Fault, SimulatedVolume};

    fn namespace(name: &str) -> Namespace {
        Namespace::new(name).unwrap()
    }

    fn load(volume: &SimulatedVolume) -> Result<Revisions, StoreError> {
        Revisions::load(Arc::new(volume.clone()))
    }

    #[test]
    fn a_ceiling_survives_and_never_falls() {
        let volume = SimulatedVolume::default();
        let (one, other) = (namespace("one"), namespace("repo/other-0123456789ab"));
        let mut revisions = load(&volume).unwrap();
        assert_eq!(revisions.ceiling(&one), 0);
        assert_eq!(revisions.reserve(&one, 0, 1000).unwrap(), 1000);
        assert_eq!(revisions.reserve(&one, 990, 1000).unwrap(), 1990);
        assert_eq!(revisions.reserve(&one, 5, 10).unwrap(), 1990, "never lower");
        assert_eq!(revisions.reserve(&other, 7, 1).unwrap(), 8);
        assert!(matches!(revisions.reserve(&one, u64::MAX, 1), Err(StoreError::Exhausted { .. })));

        let after = load(&volume.cut_power(|_| false, |bytes, synced| bytes[..synced].to_vec())).unwrap();
        assert_eq!((after.ceiling(&one), after.ceiling(&other)), (1990, 8));
    }

    #[test]
    fn a_ceiling_that_could_not_be_written_is_not_in_force() {
        let volume = SimulatedVolume::default();
        let mut revisions = load(&volume).unwrap();
        revisions.reserve(&namespace("one"), 0, 10).unwrap();
        volume.fail_after(0, Fault::Device);
        assert!(revisions.reserve(&namespace("one"), 10, 10).is_err());
        assert_eq!(revisions.ceiling(&namespace("one")), 10);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_never_a_lower_ceiling() {
        let volume = SimulatedVolume::default();
        load(&volume).unwrap().reserve(&namespace("one"), 0, 10).unwrap();
        let whole = volume.content(Revisions::FILE_NAME).unwrap();
        for len in 0..whole.len() {
            volume.put(Revisions::FILE_NAME, &whole[..len]);
            let error = load(&volume).unwrap_err().to_string();
            assert!(error.contains("revisions.jsonl, line ") && error.contains("backup"), "{error}");
        }
    }
}
