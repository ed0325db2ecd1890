//! Topics and frames of events.

use crowdlink_core::json_store::JsonStoreWritten;
use crowdlink_core::{DocumentKind, Place, Scope};
use crowdlink_protocol::{ClientId, Stage, encode_event};
use serde::Serialize;
use serde_json::value::RawValue;

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

/// Where the viewers of a channel, or with `None` those of all channels, hear of things.
pub fn viewer_topic(stage: Stage, client_id: &ClientId, channel: Option<&str>) -> String {
    match channel {
        None => format!("viewers/{stage}/{client_id}/all"),
        Some(channel) => format!("viewers/{stage}/{client_id}/channel/{channel}"),
    }
}

/// Where viewers hear of a document; `None` where it is nobody's business.
pub(super) fn viewer_topic_of(place: &Place) -> Option<String> {
    let channel = match &place.scope {
        Scope::Extension => None,
        Scope::Channel(channel) => Some(channel.as_str()),
        Scope::ChannelViewer(..) | Scope::Viewer(_) => return None,
    };
    match place.kind {
        DocumentKind::State
        | DocumentKind::Config
        | DocumentKind::GatewayActions
        | DocumentKind::GatewayMetadata => {
            Some(viewer_topic(place.stage, &place.client_id, channel))
        }
        DocumentKind::HiddenState
        | DocumentKind::ViewerState
        | DocumentKind::ExtensionViewerState => None,
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

#[derive(Serialize)]
struct Message<'a, T> {
    data: &'a T,
    event: String,
}

/// An event for viewers: its topic, its name, and the message text of `spec 4.1`.
pub(super) struct ViewerEvent {
    pub(super) topic: String,
    pub(super) name: String,
    pub(super) frame: Frame,
}

impl ViewerEvent {
    fn new<T: Serialize>(
        stage: Stage,
        client_id: &ClientId,
        channel: Option<&str>,
        name: String,
        data: &T,
    ) -> serde_json::Result<Self> {
        let event = format!("{stage}:{client_id}:{name}");
        let frame = Frame::json(&Message { data, event })?;
        Ok(Self {
            topic: viewer_topic(stage, client_id, channel),
            name,
            frame,
        })
    }

    /// A document's change: the whole document.
    pub(super) fn document(place: &Place, json: &[u8]) -> serde_json::Result<Option<Self>> {
        let (scope, channel) = match &place.scope {
            Scope::Extension => ("extension", None),
            Scope::Channel(channel) => ("channel", Some(channel.as_str())),
            Scope::ChannelViewer(..) | Scope::Viewer(_) => return Ok(None),
        };
        let name = match place.kind {
            DocumentKind::State => format!("{scope}_state_update"),
            DocumentKind::Config => format!("{scope}_config_update"),
            DocumentKind::GatewayActions | DocumentKind::GatewayMetadata => {
                "gateway_update".to_owned()
            }
            DocumentKind::HiddenState
            | DocumentKind::ViewerState
            | DocumentKind::ExtensionViewerState => return Ok(None),
        };
        let json: &RawValue = serde_json::from_slice(json)?;
        Self::new(place.stage, &place.client_id, channel, name, &json).map(Some)
    }

    /// A write to the JSON store.
    pub(super) fn json_store(written: &JsonStoreWritten) -> serde_json::Result<Self> {
        let JsonStoreWritten {
            stage,
            client_id,
            channel,
            id,
            value,
        } = written;
        let name = format!("json_store_update:{id}");
        let data = serde_json::json!({ "id": id, "value": value });
        Self::new(*stage, client_id, channel.as_deref(), name, &data)
    }
}
