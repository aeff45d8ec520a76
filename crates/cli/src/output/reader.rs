//! Whether anybody still reads what is written.

/// Whether nobody is left at the other end of `output`.
#[cfg(unix)]
pub fn is_gone(output: &impl std::os::fd::AsFd) -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    // Room for output is asked for because some systems report the other flags only beside it.
    let mut polled = [PollFd::new(output, PollFlags::OUT)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Only writing would tell here, so nobody counts as gone.
#[cfg(windows)]
pub fn is_gone<T>(_output: &T) -> bool {
    false
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_left_is_noticed() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(!is_gone(&writer));
        drop(reader);
        assert!(is_gone(&writer));
    }
}
