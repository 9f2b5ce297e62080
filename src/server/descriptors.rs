//! How many connections the descriptors of the process are good for.

use std::num::NonZeroUsize;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are not for connections: files, checks, refused clients that linger, the runtimes.
const RESERVED: u64 = 512;

/// Idle connections to nodes that one thread keeps at most.
const MOST_POOLED: u64 = 1024;

/// What the descriptors are good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Budget {
    /// Connections of clients in all. Each may need another one to a node.
    pub(super) connections: NonZeroUsize,
    /// Idle connections to nodes that each thread keeps.
    pub(super) pooled: usize,
}

impl Budget {
    /// The budget of this process with so many threads, after its limit has been raised as far as the system lets us.
    pub(super) fn raise(threads: usize) -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let descriptors = match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit.maximum,
            Err(_) => limit.current,
        };
        Self::of(descriptors.unwrap_or(u64::from(u32::MAX)), threads)
    }

    fn of(descriptors: u64, threads: usize) -> Self {
        let threads = (threads as u64).max(1);
        let pooled = (descriptors / 8 / threads).clamp(1, MOST_POOLED);
        let connections = descriptors.saturating_sub(RESERVED.min(descriptors / 4) + pooled * threads) / 2;
        let connections = usize::try_from(connections).ok().and_then(NonZeroUsize::new);
        Self {
            connections: connections.unwrap_or(NonZeroUsize::MIN),
            pooled: usize::try_from(pooled).unwrap_or(usize::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_connections_together_fit_into_the_descriptors() {
        for descriptors in [1, 64, 256, 1024, 65_536, 1_048_576] {
            for threads in [1, 2, 16] {
                let Budget { connections, pooled } = Budget::of(descriptors, threads);
                let used = 2 * connections.get() + pooled * threads;
                assert!(used <= descriptors as usize || descriptors < 64, "{descriptors} {threads}: {used}");
            }
        }
        assert_eq!(Budget::of(1024, 2).connections.get(), 320);
    }
}
