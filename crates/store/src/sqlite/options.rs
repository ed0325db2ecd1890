//! The bounds and intervals of the embedded engine.

/// How a [`super::SqliteStore`] is run. The defaults suit a server from a laptop upward.
#[derive(Clone, Debug)]
pub struct SqliteOptions {
    /// Commits waiting for the writer, at most; one more is answered `Unavailable`.
    pub waiting_commits_max: usize,
    /// Bytes of keys and values of all waiting commits, at most.
    pub waiting_commit_bytes_max: usize,
    /// Commits that share one transaction, at most.
    pub group_commits_max: usize,
    /// A group takes no further commit once it has so many bytes.
    pub group_bytes_max: usize,
    /// Threads that read, each with a connection of its own.
    pub readers: usize,
    /// Reads waiting for a thread, at most; one more is answered `Unavailable`.
    pub waiting_reads_max: usize,
    /// How long to wait while another process writes, in ms.
    pub busy_timeout_ms: u64,
    /// Growth of the write-ahead log, in pages, after which a checkpoint is due.
    pub checkpoint_pages: u32,
    /// Length of the write-ahead log, in pages, from which on it begins anew at the next checkpoint
    /// that nobody reads beside; its file keeps its length.
    pub restart_pages: u32,
    /// Length of the write-ahead log, in pages, from which on its file is cut back to nothing.
    pub truncate_pages: u32,
    /// A checkpoint is tried this often in any case, in ms.
    pub checkpoint_interval_ms: u64,
    /// The database grows to so many pages of 4 KiB at most; `None` is as far as the disk goes.
    pub database_pages_max: Option<u32>,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self {
            waiting_commits_max: 8_192,
            waiting_commit_bytes_max: 256 * 1024 * 1024,
            group_commits_max: 1_024,
            group_bytes_max: 16 * 1024 * 1024,
            readers: 4,
            waiting_reads_max: 8_192,
            busy_timeout_ms: 5_000,
            checkpoint_pages: 1_000,
            restart_pages: 4_096,
            truncate_pages: 16_384,
            checkpoint_interval_ms: 30_000,
            database_pages_max: None,
        }
    }
}
