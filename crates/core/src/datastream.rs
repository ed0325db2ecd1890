//! What viewers send straight to the game (`spec 2.8`, `spec 3.10`). Nothing of it is stored.

use bytes::Bytes;
use crowdlink_protocol::{ClientId, Stage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::bus::Message;
use crate::caller::Caller;
use crate::core::Core;
use crate::documents::{Bounds, Document};
use crate::error::Error;

/// Where the bus carries [`Streamed`].
pub(crate) const TOPIC: &str = "datastream";

/// One event of a viewer.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Streamed {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The channel.
    pub channel: String,
    /// The object, as it was sent but minified.
    pub event: Box<RawValue>,
    /// When it came (Unix ms).
    pub at_ms: i64,
}

/// Sends an object to the games of a channel, on every node, in the order of these calls.
pub fn send(core: &Core, caller: &Caller, channel: Option<&str>, json: &[u8]) -> Result<(), Error> {
    let channel = caller.channel(channel)?.to_owned();
    let event = object(core, json, core.limits.datastream_bytes_max)?;
    let streamed = Streamed {
        stage: caller.stage,
        client_id: caller.client_id().clone(),
        channel,
        event,
        at_ms: core.world.now_ms(),
    };
    core.world.bus.publish(Message {
        topic: TOPIC.to_owned(),
        payload: Bytes::from(serde_json::to_vec(&streamed)?),
    });
    Ok(())
}

/// A JSON object within a bound, minified.
pub(crate) fn object(core: &Core, json: &[u8], bytes_max: usize) -> Result<Box<RawValue>, Error> {
    let bounds = Bounds {
        bytes_max,
        depth_max: core.limits.json_depth_max,
        keys_max: core.limits.json_object_keys_max,
    };
    let document =
        Document::parse(json, &bounds).map_err(|error| Error::Document(error.to_string()))?;
    Ok(serde_json::value::to_raw_value(&document)?)
}
