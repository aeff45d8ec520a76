//! Files that only the daemon's user may touch: the private directory, its files, and their atomic replacement.
//!
//! Invariant: nothing here follows a symbolic link in the last component of a path, and every file is created for
//! the user alone. It knows no format: what stands in the files belongs to `store` and `instance`.

mod directory;
mod replace;
#[cfg(test)]
#[path = "tests/simulated.rs"]
pub(crate) mod simulated;
#[cfg(unix)]
mod unix;
mod volume;
#[cfg(windows)]
mod windows;
#[cfg(unix)]
use unix as platform;
#[cfg(windows)]
use windows as platform;

#[cfg(unix)]
pub use directory::check_shared_directory;
pub use directory::{DirectoryError, PrivateDirectory};
pub use platform::{is_named, lock_note, lock_options, private_options};
pub use replace::{ReplaceError, Replacement};
#[cfg(unix)]
pub use unix::FileIdentity;
pub use volume::{Volume, VolumeFile};
