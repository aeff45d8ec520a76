//! How the last daemon of a home ran, so that the next one knows whether it goes on as the same instance.
//!
//! Invariant: nothing but the instance id hangs on this file, and it lies beside the store, whose files mean the same on
//! every machine. What the operating system had been handed is lost only when the boot of the machine ends, so the file
//! says which boot that was.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::config::Durability;
use crate::files::Replacement;
use crate::home::Home;

/// The file's name in the home.
const FILE_NAME: &str = "last-run.json";
/// Where Linux tells which boot this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Run {
    instance_id: String,
    durability: String,
    boot_id: Option<String>,
    is_clean: bool,
}

/// The daemon's own entry.
#[derive(Debug)]
pub struct LastRun {
    path: PathBuf,
    run: Run,
}

impl LastRun {
    /// Reads how the last daemon of `home` ended, and leaves word that another one runs: as the same instance if nothing
    /// can have been lost that anybody was told, else as `fresh_id`.
    ///
    /// # Errors
    /// [`StoreError::Append`] when the file can't be written. One that can't be understood tells nothing.
    pub fn follow(home: &Home, durability: Durability, fresh_id: String) -> Result<Self, StoreError> {
        let path = home.join(FILE_NAME);
        let before = fs::read(&path).ok().and_then(|text| serde_json::from_slice::<Run>(&text).ok());
        let boot_id = boot_id();
        let instance_id = match before {
            Some(run) if run.lost_nothing(boot_id.as_deref()) => run.instance_id,
            Some(_) | None => fresh_id,
        };
        let run = Run { instance_id, durability: durability.as_str().to_owned(), boot_id, is_clean: false };
        let this = Self { path, run };
        this.write(home)?;
        Ok(this)
    }

    /// The instance that this daemon is.
    #[must_use]
    pub fn instance_id(&self) -> &str {
        &self.run.instance_id
    }

    /// Tells the next daemon that this one stopped cleanly.
    pub fn end(mut self, home: &Home) {
        self.run.is_clean = true;
        if let Err(error) = self.write(home) {
            tracing::warn!(%error, "the next start will not count as one after a clean stop");
        }
    }

    fn write(&self, home: &Home) -> Result<(), StoreError> {
        let text = serde_json::to_vec(&self.run).map_err(std::io::Error::from);
        let text = text.map_err(|source| StoreError::write(&self.path, source))?;
        let mut file = Replacement::begin(home.volume(), FILE_NAME)?;
        file.write(|buffer| {
            buffer.extend_from_slice(&text);
            Ok(())
        })?;
        file.commit()?;
        Ok(())
    }
}

impl Run {
    fn lost_nothing(&self, boot_id: Option<&str>) -> bool {
        let is_same_boot = boot_id.is_some() && self.boot_id.as_deref() == boot_id;
        self.is_clean || self.durability == "sync" || self.durability == "journal" && is_same_boot
    }
}

fn boot_id() -> Option<String> {
    let boot = fs::read_to_string(BOOT_ID).ok()?;
    Some(boot.trim().to_owned()).filter(|boot| !boot.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_goes_on_only_when_nothing_can_have_been_lost() {
        let above = tempfile::tempdir().unwrap();
        let home = Home::open(above.path()).unwrap();
        let follow = |durability, fresh: &str| LastRun::follow(&home, durability, fresh.to_owned()).unwrap();
        let first = follow(Durability::Snapshot, "a");
        assert_eq!(first.instance_id(), "a");
        let after_a_crash = follow(Durability::Snapshot, "b");
        assert_eq!(after_a_crash.instance_id(), "b");
        after_a_crash.end(&home);
        assert_eq!(follow(Durability::Sync, "c").instance_id(), "b", "after a clean stop");
        assert_eq!(follow(Durability::Journal, "d").instance_id(), "b", "sync loses nothing");
        let same_boot = if boot_id().is_some() { "b" } else { "e" };
        assert_eq!(follow(Durability::Journal, "e").instance_id(), same_boot);
        let text = fs::read_to_string(home.join(FILE_NAME)).unwrap();
        fs::write(home.join(FILE_NAME), text.replace("\"boot_id\":", "\"boot_id\":\"another\",\"was\":"))
            .unwrap();
        assert_eq!(follow(Durability::Journal, "f").instance_id(), "f", "a power cut");
        fs::write(home.join(FILE_NAME), "{").unwrap();
        assert_eq!(follow(Durability::Journal, "g").instance_id(), "g");
    }
}
