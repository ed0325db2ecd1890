//! The process's limit of open files, known before it is reached (DESIGN 4).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Files kept back for everything that is not a client's connection: the store, listeners, the
/// bus, outgoing requests, logs.
const RESERVED_FILES: u64 = 256;

/// Counts the connections of the process against its limit of open files.
#[derive(Debug)]
pub struct OpenFiles {
    connections_max: u64,
    connections: AtomicU64,
}

impl OpenFiles {
    /// Raises the soft limit of open files to the hard one and reads it. To be called once, at
    /// start.
    #[cfg(unix)]
    pub fn raise() -> Arc<Self> {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let before = getrlimit(Resource::Nofile);
        let wanted = Rlimit {
            current: before.maximum,
            maximum: before.maximum,
        };
        // Refused on systems whose hard limit is above what the kernel grants: stay with what
        // there is.
        let after = match setrlimit(Resource::Nofile, wanted) {
            Ok(()) => getrlimit(Resource::Nofile),
            Err(_) => before,
        };
        Self::with_limit(after.current.unwrap_or(u64::MAX))
    }

    /// No such limit on this system.
    #[cfg(not(unix))]
    pub fn raise() -> Arc<Self> {
        Self::with_limit(u64::MAX)
    }

    /// Counts against a given limit of open files, of which a part (at most a quarter) is kept
    /// back.
    pub fn with_limit(files_max: u64) -> Arc<Self> {
        Arc::new(Self {
            connections_max: files_max - RESERVED_FILES.min(files_max / 4),
            connections: AtomicU64::new(0),
        })
    }

    /// How many connections may be open.
    pub fn connections_max(&self) -> u64 {
        self.connections_max
    }

    /// How many connections are counted now.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Counts one connection until the permit is dropped; `None` when there is no room for
    /// another: answer 503. A connection that is upgraded outlives its HTTP side: its handler has
    /// to own the permit from then on.
    pub fn try_acquire(self: &Arc<Self>) -> Option<FilePermit> {
        let room = |count: u64| (count < self.connections_max).then_some(count + 1);
        self.connections
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, room)
            .ok()?;
        Some(FilePermit(Arc::clone(self)))
    }
}

/// One open connection, counted until it is dropped.
#[derive(Debug)]
pub struct FilePermit(Arc<OpenFiles>);

impl Drop for FilePermit {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_refused_before_files_run_out() {
        let files = OpenFiles::with_limit(8);
        assert_eq!(files.connections_max(), 6);
        let mut permits: Vec<_> = (0..6).map(|_| files.try_acquire().unwrap()).collect();
        assert!(files.try_acquire().is_none());
        permits.pop();
        assert!(files.try_acquire().is_some());
        assert_eq!(files.connections(), 5);
        assert_eq!(OpenFiles::with_limit(1_024).connections_max(), 768);
    }

    #[cfg(unix)]
    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        use rustix::process::{Resource, getrlimit};
        let files = OpenFiles::raise();
        let now = getrlimit(Resource::Nofile);
        assert_eq!(now.current, now.maximum);
        assert!(files.connections_max() < now.current.unwrap_or(u64::MAX));
    }
}
