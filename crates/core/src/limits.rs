//! The limits, lifetimes and rates of `spec 5` that core enforces. Each is a setting.

/// Lifetimes of what is minted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// A PIN, and a token that waits for it.
    pub pin_ms: u64,
    /// An access token.
    pub access_ms: u64,
    /// A refresh token, from its issue.
    pub refresh_ms: u64,
    /// A sandbox test token.
    pub authtoken_ms: u64,
    /// A token got by exchange.
    pub exchange_ms: u64,
    /// Clock skew tolerated in tokens.
    pub clock_skew_ms: u64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
        Self {
            pin_ms: 5 * 60 * 1_000,
            access_ms: 7 * DAY_MS,
            refresh_ms: 365 * DAY_MS,
            authtoken_ms: DAY_MS,
            exchange_ms: 30 * 60 * 1_000,
            clock_skew_ms: 30_000,
        }
    }
}

/// How often something may be done: steadily, and at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Steadily, in each period.
    pub per_period: u32,
    /// The period.
    pub period_ms: u64,
    /// At once.
    pub burst: u32,
}

impl Rate {
    /// So many in a minute, all of them at once if need be.
    pub const fn per_minute(count: u32) -> Self {
        Self {
            per_period: count,
            period_ms: 60_000,
            burst: count,
        }
    }

    /// So many in a second, and so many at once.
    pub const fn per_second(count: u32, burst: u32) -> Self {
        Self {
            per_period: count,
            period_ms: 1_000,
            burst,
        }
    }
}

/// Rates and bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// REST calls of one caller.
    pub rest: Rate,
    /// PINs made by one channel.
    pub pin_channel: Rate,
    /// PINs made by one address.
    pub pin_address: Rate,
    /// PINs made for one extension by games.
    pub pin_extension: Rate,
    /// Wrong PINs of one address in a minute.
    pub pin_failures_per_minute_max: u32,
    /// Wrong PINs for one extension in a minute, above which every address is tightened.
    pub pin_failures_extension_per_minute_max: u32,
    /// Wrong PINs of one address in a minute while tightened.
    pub pin_failures_tightened_per_minute_max: u32,
    /// Wrong PINs of one connection, the last of which closes it.
    pub pin_failures_connection_max: u32,
    /// Longest token, in bytes; a longer one is refused unread.
    pub token_bytes_max: usize,
    /// Extensions that a development server registers by itself.
    pub auto_registered_extensions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rest: Rate::per_second(50, 200),
            pin_channel: Rate::per_minute(10),
            pin_address: Rate::per_minute(10),
            pin_extension: Rate::per_minute(120),
            pin_failures_per_minute_max: 5,
            pin_failures_extension_per_minute_max: 60,
            pin_failures_tightened_per_minute_max: 1,
            pin_failures_connection_max: 5,
            token_bytes_max: 4_096,
            auto_registered_extensions_max: 1_000,
        }
    }
}
