//! The bounds and intervals of the engine for clusters.

/// How a [`super::PostgresStore`] is run. The defaults suit a node among a few.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// Commits waiting for the writer, at most; one more is answered `Unavailable`.
    pub waiting_commits_max: usize,
    /// Bytes of keys and values of all waiting commits, at most.
    pub waiting_commit_bytes_max: usize,
    /// Commits that share one transaction, at most.
    pub group_commits_max: usize,
    /// A group takes no further commit once it has so many bytes.
    pub group_bytes_max: usize,
    /// Connections that read, at most. The writer has one of its own.
    pub readers: usize,
    /// Reads waiting for a connection or its answer, at most; one more is answered `Unavailable`.
    pub waiting_reads_max: usize,
    /// How long any call waits, in ms; it is answered `Unavailable` then. A commit of many bytes
    /// waits longer, by 1 ms for each 2 KiB.
    pub answer_ms_max: u64,
    /// How long one attempt to connect may take, in ms.
    pub connect_ms_max: u64,
    /// How long a group waits while other nodes commit, in ms. More than `idle_ms_max`: a node that
    /// froze in the middle of a commit must not fail the commits of the others.
    pub lock_ms_max: u64,
    /// The database ends the session of a node that goes silent in the middle of a commit, in ms.
    pub idle_ms_max: u64,
    /// Longest pause between two attempts to connect, in ms. They begin at 50 ms,
    /// double, and are cut by up to a half at random.
    pub reconnect_ms_max: u64,
    /// A record is removed by a sweep only when it has been expired for so long, in ms: the clocks
    /// of nodes differ, and what one of them still sees must not vanish under it.
    pub sweep_grace_ms: u64,
    /// Where the random pauses come from; different on each node.
    pub seed: u64,
    /// Make and change nothing: commits are refused, and so is a database without a store.
    pub read_only: bool,
}

/// Shortest pause between two attempts to connect, in ms.
pub(super) const RECONNECT_MS_MIN: u64 = 50;

/// Bytes that are sent and written in 1 ms, at least.
const BYTES_PER_MS_MIN: usize = 2 * 1024;

/// How much longer a group of commits may take for its size, in ms.
pub(super) fn extra_ms(bytes: usize) -> u64 {
    u64::try_from(bytes / BYTES_PER_MS_MIN).unwrap_or(u64::MAX)
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            waiting_commits_max: 8_192,
            waiting_commit_bytes_max: 256 * 1024 * 1024,
            group_commits_max: 1_024,
            group_bytes_max: 16 * 1024 * 1024,
            readers: 8,
            waiting_reads_max: 8_192,
            answer_ms_max: 5_000,
            connect_ms_max: 3_000,
            lock_ms_max: 4_000,
            idle_ms_max: 2_000,
            reconnect_ms_max: 1_000,
            sweep_grace_ms: 60_000,
            seed: 0,
            read_only: false,
        }
    }
}
