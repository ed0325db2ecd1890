//! What viewers read of it (`GET gateway`, `gateway_update`).

use std::sync::Arc;

use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::action::{Action, ActionState, Actions, Category, Inventory};
use super::{Catalogue, place};
use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::shared::{DocumentKind, Place, Scope, Snapshot};

/// Largest event to viewers, with room for its envelope: 80 KiB are the most (`spec 4.1`).
const EVENT_BYTES_MAX: usize = 79 * 1024;

/// Bytes of views held.
const VIEWS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Channels that the cache is laid out for.
const VIEWS_CHANNELS: usize = 10_000;

/// Views of gateways as they were written last: every page of a channel reads the same.
#[derive(Debug)]
pub(crate) struct Views(Cache<(String, usize), Arc<Written>, BySize>);

#[derive(Debug)]
struct Written {
    /// Of actions, metadata, configuration and state.
    versions: [u64; 4],
    json: Bytes,
}

#[derive(Clone, Debug)]
struct BySize;

impl Weighter<(String, usize), Arc<Written>> for BySize {
    fn weight(&self, (key, _): &(String, usize), written: &Arc<Written>) -> u64 {
        (key.len() + written.json.len()) as u64
    }
}

impl Views {
    pub(crate) fn new() -> Self {
        Self(Cache::with_weighter(
            VIEWS_CHANNELS,
            VIEWS_BYTES_MAX,
            BySize,
        ))
    }
}

#[derive(Serialize)]
struct View<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
    actions: Vec<Shown<'a>>,
    texts: Vec<Value>,
}

#[derive(Serialize)]
struct Shown<'a> {
    id: &'a str,
    category: Category,
    state: ActionState,
    impact: u8,
    name: &'a str,
    description: &'a str,
    icon: &'a str,
    count: i64,
    inventory: i64,
    price: u64,
}

impl<'a> Shown<'a> {
    fn of(action: &'a Action, catalogue: &Catalogue) -> Self {
        Self {
            id: &action.id,
            category: action.category,
            state: action.state,
            impact: action.impact,
            name: &action.name,
            description: &action.description,
            icon: &action.icon,
            count: action.count,
            inventory: match action.inventory {
                Inventory::Left(left) => left,
                // The count stands for no end, whichever way it was written.
                Inventory::Endless => action.count,
            },
            price: catalogue.price_of(action),
        }
    }
}

/// Metadata, actions that are not hidden with what is left of them and their price, and texts of
/// the channel's state, as JSON.
pub async fn read(core: &Core, caller: &Caller, channel: Option<&str>) -> Result<Bytes, Error> {
    let channel = caller.channel(channel)?;
    let of = |kind| place(caller.stage, caller.client_id(), channel, kind);
    view(core, of, usize::MAX).await
}

/// What viewers are told of a document that changed: the document, or of a gateway the same as
/// [`read`] gives, but for a logo that makes the event too large.
pub async fn read_for_viewers(core: &Core, changed: &Place) -> Result<Bytes, Error> {
    let (Scope::Channel(channel), DocumentKind::GatewayActions) = (&changed.scope, changed.kind)
    else {
        return Ok(core.shared.read(changed).await?.json.clone());
    };
    let gateway = changed;
    let of = |kind| place(gateway.stage, &gateway.client_id, channel, kind);
    view(core, of, EVENT_BYTES_MAX).await
}

async fn view(
    core: &Core,
    of: impl Fn(DocumentKind) -> Place,
    bytes_max: usize,
) -> Result<Bytes, Error> {
    let read = async |kind| core.shared.read(&of(kind)).await;
    let actions = read(DocumentKind::GatewayActions).await?;
    let metadata = read(DocumentKind::GatewayMetadata).await?;
    let config = read(DocumentKind::Config).await?;
    let state = read(DocumentKind::State).await?;
    let versions = [&actions, &metadata, &config, &state].map(|snapshot| snapshot.version);
    let key = (of(DocumentKind::GatewayActions).key(), bytes_max);
    if let Some(written) = core.views.0.get(&key)
        && written.versions == versions
    {
        return Ok(written.json.clone());
    }
    let json = written([&actions, &metadata, &config, &state], bytes_max)?;
    let written = Written {
        versions,
        json: json.clone(),
    };
    core.views.0.insert(key, Arc::new(written));
    Ok(json)
}

fn written(
    [actions, metadata, config, state]: [&Snapshot; 4],
    bytes_max: usize,
) -> Result<Bytes, Error> {
    let actions: Actions = if actions.version == 0 {
        Actions::default()
    } else {
        serde_json::from_slice(&actions.json)?
    };
    let catalogue = Catalogue::parse(&config.json)?;
    let shown = actions.actions.iter();
    let shown = shown.filter(|action| action.state != ActionState::Hidden);
    let without_logo;
    let mut metadata_json: Option<&RawValue> = None;
    if metadata.version != 0 {
        metadata_json = Some(serde_json::from_slice(&metadata.json)?);
        if metadata.json.len() > bytes_max / 2 {
            let mut fields: serde_json::Map<String, Value> =
                serde_json::from_slice(&metadata.json)?;
            fields.remove("logo");
            without_logo = serde_json::value::to_raw_value(&fields)?;
            metadata_json = Some(&without_logo);
        }
    }
    let view = View {
        metadata: metadata_json,
        actions: shown.map(|action| Shown::of(action, &catalogue)).collect(),
        texts: texts(&serde_json::from_slice(&state.json)?),
    };
    Ok(serde_json::to_vec(&view)?.into())
}

/// The texts of `/game/text/game_data`, then the vectors of `/game/text/game_vectors` under their
/// labels. What is no such list or object is left out.
fn texts(state: &Value) -> Vec<Value> {
    let texts = state
        .pointer("/game/text/game_data")
        .and_then(Value::as_array);
    let texts = texts.into_iter().flatten().filter(|text| text.is_object());
    let vectors = state
        .pointer("/game/text/game_vectors")
        .and_then(Value::as_object);
    let vectors = vectors.into_iter().flatten().map(|(label, vector)| {
        let mut text = serde_json::Map::new();
        text.insert("label".to_owned(), Value::from(label.as_str()));
        match vector {
            Value::Object(fields) => text.extend(fields.clone()),
            value @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)) => {
                text.insert("value".to_owned(), value.clone());
            }
        }
        Value::Object(text)
    });
    texts.cloned().chain(vectors).collect()
}
