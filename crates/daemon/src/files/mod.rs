//! Files that only the daemon's user may touch: the private directory, its files, and their atomic replacement.
//!
//! Invariant: nothing here follows a symbolic link in the last component of a path, and every file is created with
//! mode 0600. It knows no format: what stands in the files belongs to `store` and `instance`.

mod directory;
mod replace;
#[cfg(test)]
#[path = "tests/simulated.rs"]
pub(crate) mod simulated;
#[cfg(unix)]
mod unix;
mod volume;
#[cfg(unix)]
use unix as platform;

pub use directory::{DirectoryError, PrivateDirectory, check_shared_directory};
pub use platform::{FileIdentity, private_options};
pub use replace::{ReplaceError, Replacement};
pub use volume::{Volume, VolumeFile};
