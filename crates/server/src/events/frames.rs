//! Topics and frames of events.

use crowdlink_core::{DocumentKind, Place, Scope};
use crowdlink_protocol::encode_event;
use serde::Serialize;
use serde_json::value::RawValue;

use super::ways::Audience;
use crate::live::Frame;

/// Where games hear of a document; `None` where they cannot subscribe to it.
pub fn game_topic(place: &Place) -> Option<String> {
    let kind = match place.kind {
        DocumentKind::State => "state",
        DocumentKind::Config => "config",
        DocumentKind::HiddenState
        | DocumentKind::ViewerState
        | DocumentKind::ExtensionViewerState
        | DocumentKind::GatewayActions
        | DocumentKind::GatewayMetadata => return None,
    };
    let (stage, client_id) = (place.stage, &place.client_id);
    match &place.scope {
        Scope::Extension => Some(format!("games/{stage}/{client_id}/{kind}/extension")),
        Scope::Channel(channel) => Some(format!(
            "games/{stage}/{client_id}/{kind}/channel/{channel}"
        )),
        Scope::ChannelViewer(..) | Scope::Viewer(_) => None,
    }
}

#[derive(Serialize)]
struct State<'a> {
    topic_id: &'a str,
    state: &'a RawValue,
}

#[derive(Serialize)]
struct Config<'a> {
    config: &'a RawValue,
    config_id: &'a str,
}

/// A document's change, as games are told.
pub(super) fn game_frame(place: &Place, json: &[u8], now_ms: i64) -> serde_json::Result<Frame> {
    let json: &RawValue = serde_json::from_slice(json)?;
    let id = scope_name(place);
    let text = if place.kind == DocumentKind::Config {
        encode_event(
            "config",
            now_ms,
            &Config {
                config: json,
                config_id: id,
            },
        )
    } else {
        encode_event(
            id,
            now_ms,
            &State {
                topic_id: id,
                state: json,
            },
        )
    };
    Ok(Frame::text(&text?))
}

fn scope_name(place: &Place) -> &'static str {
    match place.scope {
        Scope::Extension => "extension",
        Scope::Channel(_) | Scope::ChannelViewer(..) | Scope::Viewer(_) => "channel",
    }
}

/// Whose viewers hear of a document, and under which name (`spec 4.3`); `None` where it is nobody's
/// business.
pub(super) fn viewer_event(place: &Place) -> Option<(Audience, &'static str)> {
    let channel = match &place.scope {
        Scope::Extension => None,
        Scope::Channel(channel) => Some(channel.clone()),
        Scope::ChannelViewer(..) | Scope::Viewer(_) => return None,
    };
    let name = match (place.kind, &channel) {
        (DocumentKind::State, Some(_)) => "channel_state_update",
        (DocumentKind::State, None) => "extension_state_update",
        (DocumentKind::Config, Some(_)) => "channel_config_update",
        (DocumentKind::Config, None) => "extension_config_update",
        (DocumentKind::GatewayActions | DocumentKind::GatewayMetadata, Some(_)) => "gateway_update",
        (
            DocumentKind::GatewayActions
            | DocumentKind::GatewayMetadata
            | DocumentKind::HiddenState
            | DocumentKind::ViewerState
            | DocumentKind::ExtensionViewerState,
            _,
        ) => return None,
    };
    let audience = Audience {
        stage: place.stage,
        client_id: place.client_id.clone(),
        channel,
    };
    Some((audience, name))
}
