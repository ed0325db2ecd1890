//! Settings, as the parts of the server want them.

use std::sync::Arc;

use crowdlink_core::{Core, CoreOptions, Lifetimes, Limits, Random, Rate};

use crate::events::{PollRhythm, ViewerMetrics};
use crate::gamelink::GameLimits;
use crate::live::{LiveLimits, RequestRate};
use crate::ops::Metrics;
use crate::settings::Settings;
use crate::twitch::{PlatformOptions, PlatformWay};
use crate::viewer::ViewerLimits;

/// What core wants of the settings.
pub fn core_options(settings: &Settings, auto_register: bool) -> CoreOptions {
    let (rates, lifetimes) = (&settings.rates, &settings.lifetimes);
    CoreOptions {
        lifetimes: Lifetimes {
            pin_ms: lifetimes.pin_ms,
            access_ms: lifetimes.access_ms,
            refresh_ms: lifetimes.refresh_ms,
            authtoken_ms: lifetimes.authtoken_ms,
            exchange_ms: lifetimes.exchange_ms,
            state_ms: lifetimes.state_ms,
            json_store_ms: lifetimes.json_store_ms,
            accumulate_ms: lifetimes.accumulate_ms,
            rank_ms: lifetimes.rank_ms,
            votes_ms: lifetimes.votes_ms,
            codes_ms: lifetimes.codes_ms,
            ..Lifetimes::default()
        },
        limits: Limits {
            rest: Rate::per_second(rates.rest_requests_per_s_max, rates.rest_requests_burst_max),
            votes: Rate::per_second(rates.votes_per_s_max, rates.votes_burst_max),
            pin_channel: Rate::per_minute(rates.pins_per_channel_per_min_max),
            pin_address: Rate::per_minute(rates.open_pins_per_address_per_min_max),
            pin_extension: Rate::per_minute(rates.open_pins_per_extension_per_min_max),
            pin_failures_per_minute_max: rates.pin_failures_per_address_per_min_max,
            pin_failures_extension_per_minute_max: rates.pin_failures_per_extension_per_min_max,
            pin_failures_tightened_per_minute_max: rates.pin_tightened_per_min_max,
            pin_failures_connection_max: settings.limits.pin_failures_per_connection_max,
            state_bytes_max: settings.limits.state_document_bytes_max,
            config_bytes_max: settings.limits.config_document_bytes_max,
            hidden_bytes_max: settings.limits.hidden_document_bytes_max,
            viewer_bytes_max: settings.limits.viewer_document_bytes_max,
            extension_viewer_bytes_max: settings.limits.extension_viewer_document_bytes_max,
            json_store_bytes_max: settings.limits.json_store_value_bytes_max,
            broadcast_bytes_max: settings.limits.broadcast_bytes_max,
            broadcast_data_bytes_max: settings.limits.broadcast_data_bytes_max,
            viewer_message_bytes_max: settings.limits.platform_message_bytes_max,
            datastream_bytes_max: settings.limits.datastream_bytes_max,
            matchmaking_bytes_max: settings.limits.matchmaking_bytes_max,
            accumulate_bytes_max: settings.limits.accumulate_value_bytes_max,
            accumulate_entries_max: settings.limits.accumulate_page_entries_max,
            rank_key_bytes_max: settings.limits.rank_key_bytes_max,
            poll_user_data_bytes_max: settings.limits.poll_user_data_bytes_max,
            poll_prompt_bytes_max: settings.limits.poll_prompt_bytes_max,
            poll_option_bytes_max: settings.limits.poll_option_bytes_max,
            poll_options_max: settings.limits.poll_options_max,
            polls_per_channel_max: settings.limits.polls_per_channel_max,
            polls_per_extension_max: settings.limits.polls_per_extension_max,
            trivia_questions_max: settings.limits.trivia_questions_max,
            trivia_options_max: settings.limits.trivia_options_max,
            trivia_teams_max: settings.limits.trivia_teams_max,
            trivia_name_bytes_max: settings.limits.trivia_name_bytes_max,
            trivia_description_bytes_max: settings.limits.trivia_description_bytes_max,
            trivia_image_bytes_max: settings.limits.trivia_image_bytes_max,
            json_depth_max: settings.limits.json_depth_max,
            json_object_keys_max: settings.limits.json_object_keys_max,
            patch_ops_max: settings.limits.patch_ops_max,
            documents_per_call_max: settings.limits.config_patch_channels_max,
            ..Limits::default()
        },
        auto_register,
        sign_receipts: auto_register || settings.rig.receipts,
        ..CoreOptions::default()
    }
}

/// The number of this node among those of a cluster: one of 256, by chance. Nodes that draw the same
/// are right, and in each other's way; and a node that starts anew again and again leaves no more
/// rows than that in a poll.
pub(super) fn node(settings: &Settings, random: &dyn Random) -> u32 {
    let mut number = [0];
    if !settings.bus.url.is_empty() {
        random.fill(&mut number);
    }
    let [number] = number;
    number.into()
}

/// What live connections want of the settings.
pub fn live_limits(settings: &Settings) -> LiveLimits {
    LiveLimits {
        message_bytes_max: settings.limits.frame_in_unauthenticated_bytes_max,
        queue_bytes_max: settings.limits.outbound_queue_bytes_max,
        behind_ms_max: settings.limits.outbound_behind_ms_max,
        ping_interval_ms: settings.timeouts.socket_ping_ms,
        silence_ms_max: settings.timeouts.socket_silence_ms_max,
        subscriptions_max: settings.limits.subscriptions_per_connection_max,
        ..LiveLimits::default()
    }
}

/// What games' connections want of the settings.
pub(super) fn game_limits(settings: &Settings) -> GameLimits {
    GameLimits {
        message_bytes_max: settings.limits.frame_in_bytes_max,
        unauthenticated_ms_max: settings.timeouts.game_authentication_ms_max,
        requests: requests(settings),
    }
}

/// What viewers' connections want of the settings.
pub(super) fn viewer_limits(settings: &Settings) -> ViewerLimits {
    let timeouts = &settings.timeouts;
    ViewerLimits {
        authorization_ms_max: timeouts.viewer_authorization_ms_max,
        pusher_activity_ms: timeouts.pusher_activity_ms,
        pusher_pong_ms_max: timeouts.pusher_pong_ms_max,
        requests: requests(settings),
    }
}

fn requests(settings: &Settings) -> RequestRate {
    RequestRate {
        per_s: settings.rates.socket_requests_per_s_max,
        burst: settings.rates.socket_requests_burst_max,
        refused_ms_max: settings.rates.socket_overload_ms_max,
    }
}

/// What the pump of polls wants of the settings.
pub(super) fn poll_rhythm(settings: &Settings) -> PollRhythm {
    let rates = &settings.rates;
    PollRhythm {
        games_ms_min: rates.poll_event_ms_min,
        tail_ms_max: rates.poll_event_tail_ms_max,
        viewers_ms_min: rates.vote_update_ms_min,
        viewers_first_ms_max: rates.vote_update_first_ms_max,
    }
}

/// The way out through the platform, where the settings want it.
pub(super) fn platform(
    settings: &Settings,
    core: &Arc<Core>,
    metrics: &Metrics,
    viewers: &ViewerMetrics,
) -> anyhow::Result<Option<Arc<PlatformWay>>> {
    if !settings.twitch.pubsub {
        return Ok(None);
    }
    let options = PlatformOptions {
        url: settings.twitch.url.expose(),
        messages_per_min_max: settings.rates.platform_messages_per_min_max,
    };
    let way = PlatformWay::new(core, options, metrics, viewers.clone())?;
    Ok(Some(Arc::new(way)))
}
