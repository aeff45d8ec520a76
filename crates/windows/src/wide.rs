//! Text as the system takes it, and its way to say that something failed.

use std::ffi::OsStr;
use std::io;
use std::os::windows::ffi::OsStrExt as _;

/// `text` in UTF-16 with a zero at its end.
///
/// # Errors
/// When there is a zero inside, which would cut it.
pub fn terminated(text: &OsStr) -> io::Result<Vec<u16>> {
    let mut wide: Vec<u16> = text.encode_wide().collect();
    if wide.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a zero inside of a text for the system"));
    }
    wide.push(0);
    Ok(wide)
}

/// The last error, if `done` says that there is one.
///
/// # Errors
/// That error.
pub fn check(done: i32) -> io::Result<()> {
    if done == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// The error of a function that returns its number.
///
/// # Errors
/// That error.
pub fn check_status(status: u32) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(status.cast_signed())) }
}
