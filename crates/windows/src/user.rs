//! Who the user of this process is, and who owns a thing.
//!
//! Invariant: users are compared by their security identifiers as text (`S-1-5-..`), never by name: names can be changed
//! and reused.

use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle, FromRawHandle as _, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{
    ConvertSidToStringSidW, GetSecurityInfo, SE_FILE_OBJECT, SE_KERNEL_OBJECT, SE_OBJECT_TYPE,
};
use windows_sys::Win32::Security::{
    GetTokenInformation, OWNER_SECURITY_INFORMATION, PSID, TOKEN_QUERY, TOKEN_USER, TokenUser,
};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::Win32::System::WindowsProgramming::GetUserNameW;

use crate::wide::{check, check_status};

/// The longest name of a user with its zero, in UTF-16 units: `UNLEN` + 1 of lmcons.h.
const NAME_UNITS_MAX: usize = 257;
/// Room for a user's entry of a token, in 8 bytes: a pointer, attributes, and a security identifier of at most 68 bytes.
const TOKEN_USER_WORDS: usize = 16;
/// The system's own account: what runs as it may do everything anyway.
pub const SYSTEM_SID: &str = "S-1-5-18";
/// The group of administrators, the owner of what an elevated program creates.
pub const ADMINISTRATORS_SID: &str = "S-1-5-32-544";

/// The name of the user whom this process runs as, without the domain.
///
/// # Errors
/// The system's error.
pub fn name() -> io::Result<String> {
    let mut name = [0_u16; NAME_UNITS_MAX];
    let mut units = u32::try_from(name.len()).map_err(io::Error::other)?;
    // SAFETY: the buffer has as many units as `units` says, and both live through the call.
    check(unsafe { GetUserNameW(name.as_mut_ptr(), &raw mut units) })?;
    let end = name.iter().position(|unit| *unit == 0).unwrap_or(name.len());
    Ok(String::from_utf16_lossy(&name[..end]))
}

/// The security identifier of the user whom this process runs as.
///
/// # Errors
/// The system's error.
pub fn sid() -> io::Result<String> {
    let mut token = ptr::null_mut();
    // SAFETY: the pseudo handle of this process needs no closing, and `token` lives through the call.
    check(unsafe { OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw mut token) })?;
    // SAFETY: the call above succeeded, so the handle is valid and nobody else's.
    let token = unsafe { OwnedHandle::from_raw_handle(token) };
    let mut room = [0_u64; TOKEN_USER_WORDS];
    let bytes = u32::try_from(size_of_val(&room)).map_err(io::Error::other)?;
    let mut used = 0;
    // SAFETY: the buffer has as many bytes as `bytes` says, and lives through the call.
    check(unsafe {
        GetTokenInformation(token.as_raw_handle(), TokenUser, room.as_mut_ptr().cast(), bytes, &raw mut used)
    })?;
    // SAFETY: the call above filled the buffer with a TOKEN_USER, whose alignment is that of a pointer, 8 at most.
    let user = unsafe { &*room.as_ptr().cast::<TOKEN_USER>() };
    // SAFETY: the identifier lies in the buffer, which is still alive.
    unsafe { text_of(user.User.Sid) }
}

/// The security identifier of the owner of an open file or directory.
///
/// # Errors
/// The system's error.
pub fn owner_of_file(file: BorrowedHandle<'_>) -> io::Result<String> {
    owner_of(file, SE_FILE_OBJECT)
}

/// The security identifier of the owner of a pipe, from the handle of either end.
///
/// # Errors
/// The system's error.
pub fn owner_of_pipe(pipe: BorrowedHandle<'_>) -> io::Result<String> {
    owner_of(pipe, SE_KERNEL_OBJECT)
}

fn owner_of(handle: BorrowedHandle<'_>, kind: SE_OBJECT_TYPE) -> io::Result<String> {
    let (mut owner, mut descriptor) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: the handle is borrowed, hence open; the two pointers live through the call, and the rest is not asked for.
    check_status(unsafe {
        GetSecurityInfo(
            handle.as_raw_handle(),
            kind,
            OWNER_SECURITY_INFORMATION,
            &raw mut owner,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null_mut(),
            &raw mut descriptor,
        )
    })?;
    // SAFETY: the owner lies in the descriptor, which is freed only below.
    let text = unsafe { text_of(owner) };
    // SAFETY: the descriptor was allocated for us by the call above, and nothing points into it any more.
    unsafe { LocalFree(descriptor) };
    text
}

/// # Safety
/// `sid` is null or points to a valid security identifier.
unsafe fn text_of(sid: PSID) -> io::Result<String> {
    if sid.is_null() {
        return Err(io::Error::other("it has no owner"));
    }
    let mut text = ptr::null_mut();
    // SAFETY: the caller vouches for `sid`; `text` lives through the call.
    check(unsafe { ConvertSidToStringSidW(sid, &raw mut text) })?;
    let mut units = Vec::new();
    // SAFETY: the call above gave a text that ends with a zero, and no unit behind that is read.
    while let unit @ 1.. = unsafe { *text.add(units.len()) } {
        units.push(unit);
    }
    // SAFETY: the text was allocated for us by the call above, and is copied by now.
    unsafe { LocalFree(text.cast()) };
    Ok(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use std::os::windows::io::AsHandle as _;

    use super::*;

    #[test]
    fn the_user_has_a_name_and_owns_what_it_creates() {
        assert!(!name().unwrap().is_empty());
        let own = sid().unwrap();
        assert!(own.starts_with("S-1-5-"), "{own}");
        let file = tempfile::tempfile().unwrap();
        let owner = owner_of_file(file.as_handle()).unwrap();
        assert!([own.as_str(), ADMINISTRATORS_SID].contains(&owner.as_str()), "{owner}");
    }
}
