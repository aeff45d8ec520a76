//! What a person may do with a store that no daemon serves, or beside one that does: look, repair, export.
//!
//! Invariant: looking and exporting change nothing and need no lock; repairing takes the lock of the one instance, so
//! that no daemon runs meanwhile.

use std::path::PathBuf;
use std::sync::Arc;

use callboard_broker::{ImageCursor, Record};
use callboard_protocol::Namespace;
use serde::Serialize;

use crate::clock::Clock;
use crate::files::Volume;
use crate::instance::Instance;
use crate::recovery::{Recovered, recover};
use crate::serve::{Prepared, RunError};
use crate::store::{Examined, Forgiven, Opened, examine, repair};

/// How many records of an image are exported at once.
const SLICE: usize = 1024;

/// One exported line.
#[derive(Debug, Serialize)]
pub struct Exported<'a> {
    /// Whose board.
    pub namespace: &'a Namespace,
    /// The entity, as it is.
    pub record: &'a Record,
}

impl Prepared {
    fn store(&self) -> Result<Arc<dyn Volume>, RunError> {
        Ok(Arc::new(self.home.open_store()?))
    }

    /// Reads all of the store, also while a daemon runs.
    ///
    /// # Errors
    /// [`RunError`] when there is nothing to read; what is wrong with a file is in the result.
    pub fn check_store(&self) -> Result<Examined, RunError> {
        Ok(examine(&self.store()?)?)
    }

    /// Takes damage out of the way; gives what was put aside.
    ///
    /// # Errors
    /// [`RunError::Instance`] while a daemon runs.
    pub fn repair_store(&self) -> Result<Vec<PathBuf>, RunError> {
        let instance = Instance::acquire(&self.home, &self.config.socket(&self.home))?;
        let aside = repair(&self.store()?)?;
        drop(instance);
        Ok(aside)
    }

    /// Gives every entity in the store to `take`, also while a daemon runs.
    ///
    /// # Errors
    /// [`RunError`] when the store can't be read, and what `take` says.
    pub fn export_store<E: From<RunError>>(
        &self,
        mut take: impl FnMut(&Exported<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let now = Clock::start().now();
        let mut opened = Opened::at(self.store()?).map_err(RunError::from)?;
        let recovered = recover(&mut opened, Forgiven::TornEnd, &self.config.board_config(), now);
        let Recovered { boards, .. } = recovered.map_err(RunError::from)?;
        for (namespace, board) in &boards {
            let mut cursor = ImageCursor::default();
            while cursor != ImageCursor::End {
                for record in &board.image_slice(now, &mut cursor, SLICE) {
                    take(&Exported { namespace, record })?;
                }
            }
        }
        Ok(())
    }
}
