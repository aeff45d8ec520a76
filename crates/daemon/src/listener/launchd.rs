//! Sockets that launchd opened for us: `launch_activate_socket` of launch(3).
//!
//! Invariant: whatever launchd handed over has an owner here from the first moment, so that no descriptor leaks on any way
//! out, and no child process inherits one. What the sockets are good for is seen elsewhere.
#![expect(unsafe_code, reason = "launchd speaks through a C function, and hands over memory and descriptors")]
#![warn(clippy::undocumented_unsafe_blocks)]

use std::ffi::{c_int, c_void};
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use rustix::io::{Errno, FdFlags, fcntl_setfd};

#[cfg(target_os = "macos")]
mod system {
    use std::ffi::{CStr, c_char, c_int};
    use std::ptr;

    /// What the socket is called in the property list, below `Sockets`.
    const NAME: &CStr = c"callboard";

    unsafe extern "C" {
        fn launch_activate_socket(
            name: *const c_char,
            descriptors: *mut *mut c_int,
            count: *mut usize,
        ) -> c_int;
    }

    pub fn activate() -> super::HandedOver {
        let (mut descriptors, mut count) = (ptr::null_mut(), 0);
        // SAFETY: the name ends with a zero, and the two places that are written to live until the call returns.
        let error = unsafe { launch_activate_socket(NAME.as_ptr(), &raw mut descriptors, &raw mut count) };
        super::HandedOver { error, descriptors, count }
    }
}

unsafe extern "C" {
    /// free(3).
    fn free(memory: *mut c_void);
}

/// What launchd gave.
struct HandedOver {
    /// 0, or why there is nothing.
    error: c_int,
    /// From malloc(3), or null.
    descriptors: *mut c_int,
    /// How many.
    count: usize,
}

/// The sockets that launchd opened for this process, with close-on-exec set; none when it was not started by launchd, or with
/// a property list that has no socket of ours. They can be taken once.
///
/// # Errors
/// The system's error, also when they were taken before.
#[cfg(target_os = "macos")]
pub fn sockets() -> io::Result<Vec<OwnedFd>> {
    // SAFETY: this is what launchd gave, and nothing else has it.
    unsafe { owned(system::activate()) }
}

/// Takes what was handed over.
///
/// # Safety
/// With `error` 0, `descriptors` is null or points to `count` open descriptors in memory from malloc(3), and nobody else will
/// close the ones or free the other.
unsafe fn owned(given: HandedOver) -> io::Result<Vec<OwnedFd>> {
    match given.error {
        0 => {}
        error if is_without_socket(error) => return Ok(Vec::new()),
        error => return Err(io::Error::from_raw_os_error(error)),
    }
    if given.descriptors.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the array has `count` descriptors, each open, and ours alone from now on: the array is freed next.
    let sockets: Vec<OwnedFd> =
        (0..given.count).map(|at| unsafe { OwnedFd::from_raw_fd(*given.descriptors.add(at)) }).collect();
    // SAFETY: the array is from malloc(3), and not looked at again.
    unsafe { free(given.descriptors.cast()) };
    for socket in &sockets {
        fcntl_setfd(socket, FdFlags::CLOEXEC)?;
    }
    Ok(sockets)
}

/// launch(3): ESRCH for a process that launchd does not manage, ENOENT for one whose property list has no such socket.
fn is_without_socket(error: c_int) -> bool {
    [Errno::SRCH, Errno::NOENT].iter().any(|harmless| harmless.raw_os_error() == error)
}

#[cfg(test)]
mod tests {
    use std::os::fd::{AsRawFd, IntoRawFd as _};
    use std::os::unix::net::UnixListener;
    use std::ptr;

    use rustix::io::fcntl_getfd;

    use super::*;

    unsafe extern "C" {
        fn malloc(bytes: usize) -> *mut c_void;
    }

    /// What launchd would give: an array of its own making, with descriptors that a child would inherit.
    fn handed_over(sockets: Vec<OwnedFd>) -> HandedOver {
        let count = sockets.len();
        // SAFETY: the size is not 0.
        let descriptors: *mut c_int = unsafe { malloc((count + 1) * size_of::<c_int>()) }.cast();
        assert!(!descriptors.is_null());
        for (at, socket) in sockets.into_iter().enumerate() {
            fcntl_setfd(&socket, FdFlags::empty()).unwrap();
            // SAFETY: the array has room for all of them.
            unsafe { descriptors.add(at).write(socket.into_raw_fd()) };
        }
        HandedOver { error: 0, descriptors, count }
    }

    fn refused(error: Errno) -> io::Result<Vec<OwnedFd>> {
        // SAFETY: with an error nothing was handed over.
        unsafe { owned(HandedOver { error: error.raw_os_error(), descriptors: ptr::null_mut(), count: 0 }) }
    }

    #[test]
    fn all_sockets_are_ours_and_no_child_inherits_them() {
        let directory = tempfile::tempdir().unwrap();
        let listeners: Vec<OwnedFd> = ["a", "b"]
            .map(|name| UnixListener::bind(directory.path().join(name)).unwrap().into())
            .into_iter()
            .collect();
        let numbers: Vec<_> = listeners.iter().map(AsRawFd::as_raw_fd).collect();
        // SAFETY: the array was made for this, and the descriptors were given up.
        let sockets = unsafe { owned(handed_over(listeners)) }.unwrap();
        assert_eq!(sockets.iter().map(AsRawFd::as_raw_fd).collect::<Vec<_>>(), numbers);
        for socket in &sockets {
            assert_eq!(fcntl_getfd(socket).unwrap(), FdFlags::CLOEXEC);
        }
    }

    #[test]
    fn nothing_is_handed_over_to_a_process_that_launchd_did_not_start_with_a_socket() {
        assert!(refused(Errno::SRCH).unwrap().is_empty());
        assert!(refused(Errno::NOENT).unwrap().is_empty());
        // SAFETY: the array was made for this; it is empty.
        assert!(unsafe { owned(handed_over(Vec::new())) }.unwrap().is_empty());
    }

    #[test]
    fn any_other_error_is_one_or_else_launchds_socket_would_be_replaced() {
        for error in [Errno::ALREADY, Errno::INVAL, Errno::NOMEM] {
            assert_eq!(refused(error).unwrap_err().raw_os_error(), Some(error.raw_os_error()));
        }
    }
}
