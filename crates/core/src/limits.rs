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
    /// State, from its last write; 0 for ever.
    pub state_ms: u64,
    /// A value of the JSON store.
    pub json_store_ms: u64,
    /// An accumulated value, from the last one under its id.
    pub accumulate_ms: u64,
    /// A ranking, from its last entry.
    pub rank_ms: u64,
    /// A poll and its votes, from the last vote.
    pub votes_ms: u64,
    /// A set of codes.
    pub codes_ms: u64,
    /// A match, from its last keepalive.
    pub match_ms: u64,
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
            state_ms: 30 * DAY_MS,
            json_store_ms: 14 * DAY_MS,
            accumulate_ms: DAY_MS,
            rank_ms: DAY_MS,
            votes_ms: 7 * DAY_MS,
            codes_ms: 90 * DAY_MS,
            match_ms: 15 * 60 * 1_000,
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
    /// Votes of one caller.
    pub votes: Rate,
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
    /// State of a channel or an extension, minified.
    pub state_bytes_max: usize,
    /// Configuration of a channel or an extension, minified.
    pub config_bytes_max: usize,
    /// Hidden state, minified.
    pub hidden_bytes_max: usize,
    /// State of a viewer, minified.
    pub viewer_bytes_max: usize,
    /// State of a viewer in all channels, minified.
    pub extension_viewer_bytes_max: usize,
    /// A value of the JSON store, minified.
    pub json_store_bytes_max: usize,
    /// The message text of a broadcast, minified.
    pub broadcast_bytes_max: usize,
    /// `data` of a game's broadcast, minified.
    pub broadcast_data_bytes_max: usize,
    /// One encoded message to viewers, or one part of it.
    pub viewer_message_bytes_max: usize,
    /// What a viewer sends to the game, minified.
    pub datastream_bytes_max: usize,
    /// What a viewer says who wants to play, minified.
    pub matchmaking_bytes_max: usize,
    /// A value to accumulate, minified.
    pub accumulate_bytes_max: usize,
    /// Entries of one answer of accumulate.
    pub accumulate_entries_max: usize,
    /// A key to rank.
    pub rank_key_bytes_max: usize,
    /// `user_data` of a poll, minified.
    pub poll_user_data_bytes_max: usize,
    /// Prompt of a poll.
    pub poll_prompt_bytes_max: usize,
    /// One option of a poll.
    pub poll_option_bytes_max: usize,
    /// Options of a poll.
    pub poll_options_max: usize,
    /// Channels of a match.
    pub match_channels_max: usize,
    /// Polls of a channel: so many defined, and so many that votes opened.
    pub polls_per_channel_max: usize,
    /// The same of an extension (`global`).
    pub polls_per_extension_max: usize,
    /// Questions of a contest.
    pub trivia_questions_max: usize,
    /// Options of a question of a contest.
    pub trivia_options_max: usize,
    /// Teams of a contest.
    pub trivia_teams_max: usize,
    /// Name and short name of a question or an option.
    pub trivia_name_bytes_max: usize,
    /// Description of a question or an option.
    pub trivia_description_bytes_max: usize,
    /// Address of the image of a question or an option.
    pub trivia_image_bytes_max: usize,
    /// Nesting of a document, its root being 1.
    pub json_depth_max: usize,
    /// Keys of one object.
    pub json_object_keys_max: usize,
    /// Operations of one patch.
    pub patch_ops_max: usize,
    /// Documents named by one call.
    pub documents_per_call_max: usize,
    /// Longest token, in bytes; a longer one is refused unread.
    pub token_bytes_max: usize,
    /// Extensions that a development server registers by itself.
    pub auto_registered_extensions_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            rest: Rate::per_second(50, 200),
            votes: Rate::per_second(20, 60),
            pin_channel: Rate::per_minute(10),
            pin_address: Rate::per_minute(10),
            pin_extension: Rate::per_minute(120),
            pin_failures_per_minute_max: 5,
            pin_failures_extension_per_minute_max: 60,
            pin_failures_tightened_per_minute_max: 1,
            pin_failures_connection_max: 5,
            state_bytes_max: 256 * 1_024,
            config_bytes_max: 256 * 1_024,
            hidden_bytes_max: 256 * 1_024,
            viewer_bytes_max: 32 * 1_024,
            extension_viewer_bytes_max: 32 * 1_024,
            json_store_bytes_max: 2_048,
            broadcast_bytes_max: 80 * 1_024,
            broadcast_data_bytes_max: 8 * 1_024,
            viewer_message_bytes_max: 5_000,
            datastream_bytes_max: 8_192,
            matchmaking_bytes_max: 1_024,
            accumulate_bytes_max: 256,
            accumulate_entries_max: 10_000,
            rank_key_bytes_max: 256,
            poll_user_data_bytes_max: 4_096,
            poll_prompt_bytes_max: 512,
            poll_option_bytes_max: 256,
            poll_options_max: 64,
            match_channels_max: 64,
            polls_per_channel_max: 1_000,
            polls_per_extension_max: 1_000,
            trivia_questions_max: 64,
            trivia_options_max: 64,
            trivia_teams_max: 10_000,
            trivia_name_bytes_max: 256,
            trivia_description_bytes_max: 1_024,
            trivia_image_bytes_max: 2_048,
            json_depth_max: crowdlink_protocol::JSON_DEPTH_MAX,
            json_object_keys_max: crowdlink_protocol::JSON_OBJECT_KEYS_MAX,
            patch_ops_max: crate::documents::PATCH_OPS_MAX,
            documents_per_call_max: 1_000,
            token_bytes_max: 4_096,
            auto_registered_extensions_max: 1_000,
        }
    }
}
