//! The bounds of live connections, each a setting (spec 5, spec 2.1).

/// Bounds and intervals of live connections. Every field has the default of spec 5 or spec 2.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveLimits {
    /// Largest message taken from a new connection, in bytes: 8 KiB until the session raises it.
    pub message_bytes_max: usize,
    /// Most bytes that may wait for one peer: 4 MiB. More closes it 1013.
    pub queue_bytes_max: usize,
    /// Longest a frame may wait for one peer, in ms: 10 s. Longer closes it 1013.
    pub behind_ms_max: u64,
    /// Bytes waiting for one peer above which no further message of it is handled: 256 KiB.
    pub answers_bytes_max: usize,
    /// Time between two pings of the server, in ms: 30 s.
    pub ping_interval_ms: u64,
    /// Longest silence of a peer, in ms: 75 s. Longer drops it.
    pub silence_ms_max: u64,
    /// Longest wait for a peer's half of the closing handshake, in ms: 2 s.
    pub close_wait_ms_max: u64,
    /// Most topics one session may subscribe to: 1,000.
    pub subscriptions_max: usize,
    /// Control frames and empty fragments a peer may send per second, sustained: 100.
    pub idle_frames_per_s_max: u32,
    /// Control frames and empty fragments a peer may send at once: 1,000. More closes it 1008.
    pub idle_frames_burst_max: u32,
    /// Resolution of all timers, in ms: 250.
    pub tick_ms: u64,
}

impl Default for LiveLimits {
    fn default() -> Self {
        Self {
            message_bytes_max: 8 * 1024,
            queue_bytes_max: 4 * 1024 * 1024,
            behind_ms_max: 10_000,
            answers_bytes_max: 256 * 1024,
            ping_interval_ms: 30_000,
            silence_ms_max: 75_000,
            close_wait_ms_max: 2_000,
            subscriptions_max: 1_000,
            idle_frames_per_s_max: 100,
            idle_frames_burst_max: 1_000,
            tick_ms: 250,
        }
    }
}
