//! The process's limit of open files, which clients would hit long before the configured limit of connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors per connection: the socket, and the second one that notices a hang-up.
const OPEN_FILES_PER_CONNECTION: u64 = 2;
/// Descriptors for everything else: standard streams, runtime, lock, listener, store.
const OPEN_FILES_RESERVED: u64 = 64;

/// Raises the soft limit of open files to what so many connections need, at most to the hard limit; a limit that is high
/// enough stays. Tells the log when it is not enough. Returns the limit in force; `None` if there is none.
pub fn raise_open_files(connections: usize) -> Option<u64> {
    let needed = u64::try_from(connections)
        .unwrap_or(u64::MAX)
        .saturating_mul(OPEN_FILES_PER_CONNECTION)
        .saturating_add(OPEN_FILES_RESERVED);
    let present = getrlimit(Resource::Nofile);
    let soft = present.current?;
    if soft >= needed {
        return Some(soft);
    }
    let wanted = present.maximum.map_or(needed, |hard| hard.min(needed));
    let raised = Rlimit { current: Some(wanted), maximum: present.maximum };
    let in_force = match setrlimit(Resource::Nofile, raised) {
        // The system may have granted less without a word.
        Ok(()) => getrlimit(Resource::Nofile).current.unwrap_or(wanted),
        Err(error) => {
            tracing::debug!(%error, wanted, "the limit of open files could not be raised");
            soft
        }
    };
    if in_force < needed {
        tracing::warn!(
            in_force,
            needed,
            connections,
            "fewer clients than limits.connections can connect; raise the limit of open files (ulimit -n, LimitNOFILE=)"
        );
    }
    Some(in_force)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_suits_the_connections_or_is_as_high_as_it_may_be() {
        let hard = getrlimit(Resource::Nofile).maximum;
        let in_force = raise_open_files(256).unwrap_or(u64::MAX);
        assert!(in_force >= 576 || Some(in_force) == hard, "{in_force}");
        assert_eq!(raise_open_files(1), getrlimit(Resource::Nofile).current, "a limit is never lowered");
    }
}
