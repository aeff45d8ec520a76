//! How much room a disk has.

use std::io;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;

use crate::wide::{check, terminated};

/// How many bytes the user of this process can still write below the directory `path`.
///
/// # Errors
/// The system's error.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let wide = terminated(path.as_os_str())?;
    let mut free = 0;
    // SAFETY: the path ends with a zero; `free` lives through the call, and the rest is not asked for.
    check(unsafe { GetDiskFreeSpaceExW(wide.as_ptr(), &raw mut free, ptr::null_mut(), ptr::null_mut()) })?;
    Ok(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_temporary_files_and_none_where_nothing_is() {
        assert!(free_bytes(&std::env::temp_dir()).unwrap() > 0);
        assert!(free_bytes(Path::new(r"Q:\nowhere")).is_err());
    }
}
