//! The table: every setting with its type, default, unit, range and meaning (spec 05).

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Serialize;

use super::listeners::Listeners;
use super::setting::Setting;
use super::value::{Address, ConnectionUrl, ForwardedHeader, SettingValue, within};

const DAY_MS: u64 = 24 * 3_600_000;
/// Ten years: no lifetime is longer.
const LIFETIME_MS_MAX: u64 = 3_650 * DAY_MS;
/// An hour: no pause or timeout is longer.
const PAUSE_MS_MAX: u64 = 3_600_000;
/// The largest value the store takes.
const DOCUMENT_BYTES_MAX: usize = crowdlink_store::VALUE_BYTES_MAX;
const RATE_MAX: u32 = 1_000_000;

/// Each row: `name: type = default, "unit" [, in range] [, short "flag"];`
macro_rules! table {
    ($(
        $heading:literal
        $(#[doc = $group_doc:literal])+
        $group:ident: $Group:ident {
            $(
                $(#[doc = $doc:literal])+
                $name:ident: $ty:ty = $default:expr, $unit:literal
                    $(, in $range:expr)? $(, short $short:literal)?;
            )+
        }
    )+) => {
        /// Every setting of the program, grouped as in the TOML file.
        #[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
        pub struct Settings {
            $($(#[doc = $group_doc])+ pub $group: $Group,)+
        }

        $(
            $(#[doc = $group_doc])+
            #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
            pub struct $Group {
                $(
                    $(#[doc = $doc])+
                    #[doc = concat!("Unit: ", $unit, ".")]
                    pub $name: $ty,
                )+
            }

            impl Default for $Group {
                fn default() -> Self {
                    Self { $($name: $default,)+ }
                }
            }
        )+

        /// All settings, in the order of the reference.
        pub static TABLE: &[Setting] = &[$($(Setting {
            key: concat!(stringify!($group), ".", stringify!($name)),
            heading: $heading,
            doc: concat!($($doc),+).trim_ascii_start(),
            unit: $unit,
            short: table!(@short $($short)?),
            kind: <$ty as SettingValue>::KIND,
            default: || <$ty as SettingValue>::show(&$Group::default().$name),
            set: |settings, text| {
                settings.$group.$name = table!(@read $ty, text $(, $range)?)?;
                Ok(())
            },
            mask: <$ty as SettingValue>::mask,
        },)+)+];
    };
    (@short $short:literal) => { Some($short) };
    (@short) => { None };
    (@read $ty:ty, $text:ident, $range:expr) => { within::<$ty>($text, &$range) };
    (@read $ty:ty, $text:ident) => {
        <$ty as SettingValue>::from_text($text).ok_or_else(<$ty as SettingValue>::expected)
    };
}

table! {
    "Addresses"
    /// Where the edges listen. `off` disables one; port 0 lets the system choose.
    listen: Listen {
        /// REST and viewers of the sandbox.
        sandbox_rest: Address = Address::loopback(5050), "address", short "sandbox-rest";
        /// Games of the sandbox.
        sandbox_gamelink: Address = Address::loopback(5051), "address", short "sandbox-gamelink";
        /// REST and viewers of production.
        production_rest: Address = Address::loopback(5060), "address", short "production-rest";
        /// Games of production.
        production_gamelink: Address = Address::loopback(5061), "address",
            short "production-gamelink";
        /// Health, readiness and metrics. Not for the public.
        ops: Address = Address::loopback(5052), "address", short "ops";
        /// Connections that may wait to be accepted, for each address.
        backlog_connections_max: u32 = 4_096, "connections", in 1..=65_535;
        /// How long the sender of `--takeover` waits for the running server, for each step.
        takeover_ms_max: u64 = 5_000, "ms", in 1..=PAUSE_MS_MAX;
    }

    "TLS"
    /// Which listeners speak TLS (docs/tls.md).
    tls: Tls {
        /// The certificate, followed by those of its issuers, in PEM form. Read again when it
        /// changes.
        certificate: Option<PathBuf> = None, "file", short "tls-certificate";
        /// Its private key, in PEM form.
        key: Option<PathBuf> = None, "file", short "tls-key";
        /// The listeners that speak TLS once there is a certificate: all but ops by default.
        listeners: Listeners = Listeners::public(), "";
    }

    "Storage"
    /// Where data lives.
    store: Store {
        /// The directory of the embedded store, and of the socket for `--takeover`.
        data: PathBuf = PathBuf::from("./crowdlink-data"), "directory", short "data";
        /// The PostgreSQL database of a cluster, `postgres://…`, in place of the embedded store. It
        /// holds a password, which other users of the machine see in a flag: use the file or the
        /// variable.
        url: ConnectionUrl = ConnectionUrl::default(), "URL", short "store";
        /// How long a server that starts waits for the database to be there; 0 does not wait.
        wait_ms_max: u64 = 60_000, "ms", in 0..=PAUSE_MS_MAX;
    }

    "Cluster"
    /// How nodes tell each other what happened.
    bus: Bus {
        /// The bus of a cluster, `nats://…` or `tls://…`, several with commas between them; without
        /// it events stay in the process.
        url: ConnectionUrl = ConnectionUrl::default(), "URL", short "bus";
        /// How the names of all NATS subjects begin. Clusters that share a NATS server differ in it.
        subject: String = "crowdlink".to_owned(), "";
    }

    "Proxies"
    /// Who may tell us a caller's address (spec 1.6).
    proxy: Proxy {
        /// Networks whose X-Forwarded-For or Forwarded header is believed. Nobody's by default.
        trusted: Vec<IpNet> = Vec::new(), "networks";
        /// The header they write: auto, x-forwarded-for or forwarded. With auto, X-Forwarded-For
        /// wins where both are there; name the one your proxy sets to ignore the other.
        header: ForwardedHeader = ForwardedHeader::Auto, "";
    }

    "Logs"
    /// What goes to standard error.
    log: Log {
        /// Level or filter: `info`, `debug`, `warn,crowdlink_server=debug`.
        level: String = "info".to_owned(), "";
        /// One JSON object a line.
        json: bool = false, "", short "log-json";
    }

    "Platform"
    /// The streaming platform.
    twitch: Twitch {
        /// Send viewers' messages through the platform's PubSub too (production only).
        pubsub: bool = false, "";
        /// The base of the platform's API.
        url: ConnectionUrl = ConnectionUrl::twitch(), "URL";
    }

    "Rig"
    /// What stands in for the platform (spec 4.4), in the sandbox.
    rig: Rig {
        /// Sign receipts for whoever asks, as `crowdlink dev` always does. They are good in
        /// production too: not for a sandbox that the public reaches.
        receipts: bool = false, "";
    }

    "Limits"
    /// Sizes and counts. Sizes are of the minified UTF-8 JSON unless something else is said.
    limits: Limits {
        /// Body of a REST request.
        rest_body_bytes_max: usize = 1_048_576, "bytes", in 1_024..=DOCUMENT_BYTES_MAX;
        /// Body of an upload of codes (`PUT codes`), which only an admin or a backend may send.
        codes_body_bytes_max: usize = 67_108_864, "bytes", in 1_024..=268_435_456;
        /// Incoming WebSocket message of an authenticated connection.
        frame_in_bytes_max: usize = 2_097_152, "bytes", in 1_024..=DOCUMENT_BYTES_MAX;
        /// Incoming WebSocket message before authentication.
        frame_in_unauthenticated_bytes_max: usize = 8_192, "bytes", in 1_024..=1_048_576;
        /// Request line and headers of a request.
        request_head_bytes_max: usize = 16_384, "bytes", in 8_192..=1_048_576;
        /// Depth of JSON, counted from a document's root as 1.
        json_depth_max: usize = 64, "levels", in 1..=100;
        /// Keys of one JSON object.
        json_object_keys_max: usize = 10_000, "keys", in 1..=1_000_000;
        /// State document of a channel or an extension.
        state_document_bytes_max: usize = 262_144, "bytes", in 1..=DOCUMENT_BYTES_MAX;
        /// Config document of a channel or an extension.
        config_document_bytes_max: usize = 262_144, "bytes", in 1..=DOCUMENT_BYTES_MAX;
        /// Hidden config document.
        hidden_document_bytes_max: usize = 262_144, "bytes", in 1..=DOCUMENT_BYTES_MAX;
        /// State document of a viewer.
        viewer_document_bytes_max: usize = 32_768, "bytes", in 1..=DOCUMENT_BYTES_MAX;
        /// State document of a viewer for a whole extension.
        extension_viewer_document_bytes_max: usize = 32_768, "bytes", in 1..=DOCUMENT_BYTES_MAX;
        /// Operations of one JSON Patch.
        patch_ops_max: usize = 1_000, "operations", in 1..=100_000;
        /// Channels of one `PATCH config/channel` by an admin or a backend.
        config_patch_channels_max: usize = 1_000, "channels", in 1..=1_000;
        /// Value in the JSON store.
        json_store_value_bytes_max: usize = 2_048, "bytes", in 1..=1_048_576;
        /// Value to accumulate.
        accumulate_value_bytes_max: usize = 256, "bytes", in 1..=1_048_576;
        /// Entries in one answer of accumulate.
        accumulate_page_entries_max: usize = 10_000, "entries", in 1..=10_000;
        /// Key to rank.
        rank_key_bytes_max: usize = 256, "bytes", in 1..=512;
        /// `userData` of a poll.
        poll_user_data_bytes_max: usize = 4_096, "bytes", in 1..=1_048_576;
        /// Matchmaking data.
        matchmaking_bytes_max: usize = 1_024, "bytes", in 1..=1_048_576;
        /// Datastream message.
        datastream_bytes_max: usize = 8_192, "bytes", in 1..=1_048_576;
        /// Prompt of a poll.
        poll_prompt_bytes_max: usize = 512, "bytes", in 1..=1_048_576;
        /// One option of a poll.
        poll_option_bytes_max: usize = 256, "bytes", in 1..=1_048_576;
        /// Options of a poll.
        poll_options_max: usize = 64, "options", in 1..=1_000;
        /// Channels of one match.
        match_channels_max: usize = 64, "channels", in 1..=1_000;
        /// Polls of one channel.
        polls_per_channel_max: usize = 1_000, "polls", in 1..=10_000;
        /// Polls of one extension (`global`).
        polls_per_extension_max: usize = 1_000, "polls", in 1..=10_000;
        /// Questions of a contest (trivia).
        trivia_questions_max: usize = 64, "questions", in 1..=64;
        /// Options of a question of a contest.
        trivia_options_max: usize = 64, "options", in 1..=64;
        /// Teams of a contest: channels whose viewers take part.
        trivia_teams_max: usize = 10_000, "teams", in 1..=20_000;
        /// Name, and short name, of a question or an option of a contest.
        trivia_name_bytes_max: usize = 256, "bytes", in 1..=1_024;
        /// Description of a question or an option of a contest.
        trivia_description_bytes_max: usize = 1_024, "bytes", in 1..=4_096;
        /// Address of the image of a question or an option of a contest.
        trivia_image_bytes_max: usize = 2_048, "bytes", in 1..=4_096;
        /// Broadcast: the whole message text.
        broadcast_bytes_max: usize = 81_920, "bytes", in 1..=1_048_576;
        /// `data` of a game's broadcast.
        broadcast_data_bytes_max: usize = 8_192, "bytes", in 1..=1_048_576;
        /// One message to viewers: what is not shorter is compressed, and split where it must be.
        /// The platform takes 5,120.
        platform_message_bytes_max: usize = 5_000, "bytes", in 512..=5_120;
        /// Subscriptions of one connection.
        subscriptions_per_connection_max: usize = 1_000, "subscriptions", in 1..=100_000;
        /// Bytes that may wait for a slow connection; beyond it is closed with 1013.
        outbound_queue_bytes_max: usize = 4_194_304, "bytes", in 65_536..=1_073_741_824;
        /// How far a connection may fall behind; beyond it is closed with 1013.
        outbound_behind_ms_max: u64 = 10_000, "ms", in 1..=PAUSE_MS_MAX;
        /// Connections of one source address.
        connections_per_address_max: usize = 2_000, "connections", in 1..=10_000_000;
        /// Connections of one extension.
        connections_per_extension_max: usize = 200_000, "connections", in 1..=10_000_000;
        /// Open files of the process; 0 takes what the system allows, up to 1,048,576. Callers are refused with 503
        /// before it is reached.
        open_files_max: u64 = 0, "files", in 0..=100_000_000;
        /// Open files kept free for everything but callers.
        open_files_reserved: u64 = 64, "files", in 16..=65_536;
        /// TLS handshakes under way at one listener; who comes later waits to be accepted.
        tls_handshakes_max: usize = 1_024, "handshakes", in 1..=65_536;
        /// TLS handshakes under way at one listener from one address that is no trusted proxy; more
        /// are closed.
        tls_handshakes_per_address_max: u32 = 256, "handshakes", in 1..=65_536;
        /// Failed PINs on one connection; then it is closed with 1008.
        pin_failures_per_connection_max: u32 = 5, "failures", in 1..=RATE_MAX;
    }

    "Rates"
    /// How often. A burst is what may come at once after a pause.
    rates: Rates {
        /// WebSocket requests of one connection, sustained.
        socket_requests_per_s_max: u32 = 100, "per second", in 1..=RATE_MAX;
        /// WebSocket requests of one connection, at once.
        socket_requests_burst_max: u32 = 200, "requests", in 1..=RATE_MAX;
        /// How long a connection may ask too often before it is closed with 1008.
        socket_overload_ms_max: u64 = 10_000, "ms", in 1..=PAUSE_MS_MAX;
        /// REST requests of one caller (stage, extension, voter identity), sustained.
        rest_requests_per_s_max: u32 = 50, "per second", in 1..=RATE_MAX;
        /// REST requests of one caller, at once.
        rest_requests_burst_max: u32 = 200, "requests", in 1..=RATE_MAX;
        /// Votes of one caller, sustained.
        votes_per_s_max: u32 = 20, "per second", in 1..=RATE_MAX;
        /// Votes of one caller, at once.
        votes_burst_max: u32 = 60, "votes", in 1..=RATE_MAX;
        /// State writes of a channel that are never refused for their rate.
        state_writes_per_s_min: u32 = 5, "per second", in 1..=RATE_MAX;
        /// PINs made for one channel.
        pins_per_channel_per_min_max: u32 = 10, "per minute", in 1..=RATE_MAX;
        /// PINs made by games (`POST pin`, open) from one address.
        open_pins_per_address_per_min_max: u32 = 10, "per minute", in 1..=RATE_MAX;
        /// PINs made by games for one extension.
        open_pins_per_extension_per_min_max: u32 = 120, "per minute", in 1..=RATE_MAX;
        /// Failed PINs from one address (IPv6: /64).
        pin_failures_per_address_per_min_max: u32 = 5, "per minute", in 1..=RATE_MAX;
        /// Failed PINs of one extension, above which every address is tightened.
        pin_failures_per_extension_per_min_max: u32 = 60, "per minute", in 1..=RATE_MAX;
        /// Attempts of one network (IPv4 /24, IPv6 /48) while an extension is under attack.
        pin_tightened_per_min_max: u32 = 1, "per minute", in 1..=RATE_MAX;
        /// Time between two `vote_update` of one poll to viewers.
        vote_update_ms_min: u64 = 5_000, "ms", in 1..=PAUSE_MS_MAX;
        /// Time from the first vote to the first `vote_update`.
        vote_update_first_ms_max: u64 = 500, "ms", in 1..=PAUSE_MS_MAX;
        /// Time between two events of one poll to games.
        poll_event_ms_min: u64 = 1_000, "ms", in 1..=PAUSE_MS_MAX;
        /// How long the sender of events remembers a poll after its last news.
        poll_event_tail_ms_max: u64 = 300_000, "ms", in 1..=DAY_MS;
        /// Messages to the platform's PubSub for one channel.
        platform_messages_per_min_max: u32 = 100, "per minute", in 1..=RATE_MAX;
    }

    "Lifetimes"
    /// How long things live.
    lifetimes: Lifetimes {
        /// A PIN, and a pending token.
        pin_ms: u64 = 300_000, "ms", in 1..=LIFETIME_MS_MAX;
        /// An access token.
        access_ms: u64 = 7 * DAY_MS, "ms", in 1_000..=LIFETIME_MS_MAX;
        /// A refresh token.
        refresh_ms: u64 = 365 * DAY_MS, "ms", in 1_000..=LIFETIME_MS_MAX;
        /// A sandbox test token (`authtoken`).
        authtoken_ms: u64 = DAY_MS, "ms", in 1_000..=LIFETIME_MS_MAX;
        /// A token got by exchange (`token`).
        exchange_ms: u64 = 1_800_000, "ms", in 1_000..=LIFETIME_MS_MAX;
        /// State, since its last write; 0 for ever.
        state_ms: u64 = 30 * DAY_MS, "ms", in 0..=LIFETIME_MS_MAX;
        /// A value of the JSON store.
        json_store_ms: u64 = 14 * DAY_MS, "ms", in 1..=LIFETIME_MS_MAX;
        /// An accumulated value.
        accumulate_ms: u64 = DAY_MS, "ms", in 1..=LIFETIME_MS_MAX;
        /// A rank.
        rank_ms: u64 = DAY_MS, "ms", in 1..=LIFETIME_MS_MAX;
        /// Votes.
        votes_ms: u64 = 7 * DAY_MS, "ms", in 1..=LIFETIME_MS_MAX;
        /// Codes.
        codes_ms: u64 = 90 * DAY_MS, "ms", in 1..=LIFETIME_MS_MAX;
        /// A match, since its last keepalive.
        match_ms: u64 = 900_000, "ms", in 1..=LIFETIME_MS_MAX;
    }

    "Timeouts"
    /// How long to wait.
    timeouts: Timeouts {
        /// For a TLS handshake.
        tls_handshake_ms_max: u64 = 10_000, "ms", in 1..=PAUSE_MS_MAX;
        /// For the head of a request, also of the next one on a connection kept alive.
        request_head_ms_max: u64 = 10_000, "ms", in 1..=PAUSE_MS_MAX;
        /// For the whole body of a request.
        request_body_ms_max: u64 = 30_000, "ms", in 1..=PAUSE_MS_MAX;
        /// For a game to authenticate: a person is typing a PIN. Then it is closed with 1008.
        game_authentication_ms_max: u64 = 600_000, "ms", in 1..=DAY_MS;
        /// For the token of a viewer's socket. Then it is closed with 1008.
        viewer_authorization_ms_max: u64 = 10_000, "ms", in 1..=PAUSE_MS_MAX;
        /// For a message on a Pusher connection before it is asked for a sign of life.
        pusher_activity_ms: u64 = 120_000, "ms", in 1_000..=PAUSE_MS_MAX;
        /// For that sign of life. Then it is closed with 4201.
        pusher_pong_ms_max: u64 = 30_000, "ms", in 1_000..=PAUSE_MS_MAX;
        /// Between two pings of a WebSocket.
        socket_ping_ms: u64 = 30_000, "ms", in 1..=PAUSE_MS_MAX;
        /// For a sign of life on a WebSocket. Then it is dropped.
        socket_silence_ms_max: u64 = 75_000, "ms", in 1..=PAUSE_MS_MAX;
        /// For the store when asked for readiness.
        store_ping_ms_max: u64 = 1_000, "ms", in 1..=PAUSE_MS_MAX;
    }

    "Shutdown"
    /// How the program ends.
    shutdown: Shutdown {
        /// Time to finish what is in flight and to close sockets.
        drain_ms_max: u64 = 10_000, "ms", in 0..=PAUSE_MS_MAX;
    }
}
