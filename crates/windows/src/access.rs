//! Who may use what: access lists for the user and the system alone.
//!
//! Invariant: a list made here names exactly the user of this process and the system, and is closed to what a folder above
//! would pass on.

use std::fs;
use std::io;
use std::path::Path;
use std::ptr;

use windows_sys::Win32::Foundation::{ERROR_ALREADY_EXISTS, LocalFree};
use windows_sys::Win32::Security::Authorization::{
    ConvertStringSecurityDescriptorToSecurityDescriptorW, SDDL_REVISION_1, SE_FILE_OBJECT,
    SetNamedSecurityInfoW,
};
use windows_sys::Win32::Security::{
    DACL_SECURITY_INFORMATION, GetSecurityDescriptorDacl, PROTECTED_DACL_SECURITY_INFORMATION,
    PSECURITY_DESCRIPTOR, SECURITY_ATTRIBUTES,
};
use windows_sys::Win32::Storage::FileSystem::CreateDirectoryW;

use crate::user;
use crate::wide::{check, check_status, terminated};

/// The security descriptor of a pipe, as text: owned by the user, for the user and the system alone.
///
/// # Errors
/// The system's error when it does not say who the user is.
pub fn for_pipe() -> io::Result<String> {
    let user = user::sid()?;
    Ok(format!("O:{user}D:P(A;;GA;;;{user})(A;;GA;;;SY)"))
}

/// As [`for_pipe`] for a directory; what is created in it gets the same.
fn for_directory() -> io::Result<String> {
    let user = user::sid()?;
    Ok(format!("O:{user}D:P(A;OICI;FA;;;{user})(A;OICI;FA;;;SY)"))
}

/// Creates a directory that nobody else may enter, and those above it that are missing; one that is there is left as it is.
///
/// # Errors
/// The system's error.
pub fn create_private_directory(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    let wide = terminated(path.as_os_str())?;
    let descriptor = Descriptor::parse(&for_directory()?)?;
    let attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).map_err(io::Error::other)?,
        lpSecurityDescriptor: descriptor.0,
        bInheritHandle: 0,
    };
    // SAFETY: the path ends with a zero; path, attributes and descriptor live through the call.
    match check(unsafe { CreateDirectoryW(wide.as_ptr(), &raw const attributes) }) {
        // Another program was faster.
        Err(error) if error.raw_os_error() == Some(ERROR_ALREADY_EXISTS.cast_signed()) => Ok(()),
        created => created,
    }
}

/// Closes a directory of ours, and what is in it, to everybody else.
///
/// # Errors
/// The system's error.
pub fn close_to_others(path: &Path) -> io::Result<()> {
    let wide = terminated(path.as_os_str())?;
    let descriptor = Descriptor::parse(&for_directory()?)?;
    let (mut present, mut defaulted, mut list) = (0, 0, ptr::null_mut());
    // SAFETY: the descriptor is valid, and the three others live through the call.
    check(unsafe {
        GetSecurityDescriptorDacl(descriptor.0, &raw mut present, &raw mut list, &raw mut defaulted)
    })?;
    // SAFETY: the path ends with a zero; the list lies in the descriptor, and both live through the call.
    check_status(unsafe {
        SetNamedSecurityInfoW(
            wide.as_ptr(),
            SE_FILE_OBJECT,
            DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION,
            ptr::null_mut(),
            ptr::null_mut(),
            list,
            ptr::null(),
        )
    })
}

/// A security descriptor of the system's making.
struct Descriptor(PSECURITY_DESCRIPTOR);

impl Descriptor {
    fn parse(text: &str) -> io::Result<Self> {
        let wide = terminated(text.as_ref())?;
        let mut descriptor = ptr::null_mut();
        // SAFETY: the text ends with a zero, and both live through the call; the size is not asked for.
        check(unsafe {
            ConvertStringSecurityDescriptorToSecurityDescriptorW(
                wide.as_ptr(),
                SDDL_REVISION_1,
                &raw mut descriptor,
                ptr::null_mut(),
            )
        })?;
        Ok(Self(descriptor))
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: it was allocated for us, and whoever borrowed it is done.
        unsafe { LocalFree(self.0) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_directory_is_made_once_and_can_be_used() {
        let above = tempfile::tempdir().unwrap();
        let path = above.path().join("a").join("b");
        create_private_directory(&path).unwrap();
        create_private_directory(&path).unwrap();
        close_to_others(&path).unwrap();
        fs::write(path.join("file"), "ours").unwrap();
        assert_eq!(fs::read_to_string(path.join("file")).unwrap(), "ours");
    }
}
