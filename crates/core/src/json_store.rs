//! The JSON store: small objects under keys, kept for days (`spec 3.4`).

use bytes::Bytes;
use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::Commit;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::caller::Caller;
use crate::core::Core;
use crate::documents::{Bounds, Document};
use crate::error::Error;
use crate::keys;

/// Longest key, in characters.
const KEY_CHARS_MAX: usize = 64;
/// Records read at once: of the largest, so many stay well below what one read may answer.
const PAGE_RECORDS: usize = 1_000;
/// Where the bus carries [`JsonStoreWritten`].
pub(crate) const TOPIC: &str = "json-store";

/// Told after each write.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JsonStoreWritten {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The channel; none for a key of the extension.
    pub channel: Option<String>,
    /// The key.
    pub id: String,
    /// The object.
    pub value: Box<RawValue>,
    /// The commit that wrote it.
    pub version: u64,
}

fn check_key(id: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b':');
    if id.is_empty() || id.len() > KEY_CHARS_MAX || !id.bytes().all(fits) {
        let expected = format!("must be 1 to {KEY_CHARS_MAX} letters, digits, `_`, `-` or `:`");
        return Err(Error::invalid("id", expected));
    }
    Ok(())
}

/// Before the keys of a channel, or of the extension.
fn prefix(stage: Stage, client_id: &ClientId, channel: Option<&str>) -> String {
    let mut prefix = keys::kind(stage, client_id, "json-store");
    match channel {
        None => prefix.push_str("extension/"),
        Some(channel) => {
            prefix.push_str("channel/");
            keys::push_segment(&mut prefix, channel);
            prefix.push('/');
        }
    }
    prefix
}

fn key_of(caller: &Caller, channel: Option<&str>, id: &str) -> String {
    let mut key = prefix(caller.stage, caller.client_id(), channel);
    keys::push_segment(&mut key, id);
    key
}

/// What a channel, or the extension, got after a commit, for those who were found fit to be told.
pub async fn written_since(
    core: &Core,
    (stage, client_id): (Stage, &ClientId),
    channel: Option<&str>,
    since: u64,
) -> Result<Vec<JsonStoreWritten>, Error> {
    let prefix = prefix(stage, client_id, channel);
    let mut written = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let store = &core.world.store;
        let page = store.scan(&prefix, after.as_deref(), PAGE_RECORDS).await?;
        let full = page.len() == PAGE_RECORDS;
        after = page.last().map(|entry| entry.key.clone());
        for entry in page {
            let id = entry.key.strip_prefix(&prefix).and_then(keys::unsegment);
            if let Some(id) = id.filter(|_| entry.record.version > since) {
                written.push(JsonStoreWritten {
                    stage,
                    client_id: client_id.clone(),
                    channel: channel.map(str::to_owned),
                    id,
                    value: serde_json::from_slice(&entry.record.value)?,
                    version: entry.record.version,
                });
            }
        }
        if !full {
            return Ok(written);
        }
    }
}

/// The object under a key; 404 where there is none.
pub async fn read(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
) -> Result<Bytes, Error> {
    check_key(id)?;
    let channel = if keys::is_global(id) {
        None
    } else {
        Some(caller.channel(channel)?)
    };
    let record = core.world.store.get(&key_of(caller, channel, id)).await?;
    record
        .map(|record| record.value)
        .ok_or_else(|| Error::NotFound("There is no value under this id".into()))
}

/// Puts an object under a key.
pub async fn write(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    id: &str,
    json: &[u8],
) -> Result<(), Error> {
    check_key(id)?;
    let channel = if keys::is_global(id) {
        caller.require_owner()?;
        None
    } else {
        Some(caller.writable_channel(channel)?)
    };
    let bounds = Bounds {
        bytes_max: core.limits.json_store_bytes_max,
        depth_max: core.limits.json_depth_max,
        keys_max: core.limits.json_object_keys_max,
    };
    let document =
        Document::parse(json, &bounds).map_err(|error| Error::Document(error.to_string()))?;
    let value = serde_json::value::to_raw_value(&document)?;
    let json = Bytes::from(value.get().to_owned());
    let expires_at_ms = core
        .world
        .now_ms()
        .saturating_add_unsigned(core.lifetimes.json_store_ms);
    let commit = Commit::new().put(key_of(caller, channel, id), json, Some(expires_at_ms));
    let version = core.world.store.commit(commit).await?;
    let written = JsonStoreWritten {
        stage: caller.stage,
        client_id: caller.client_id().clone(),
        channel: channel.map(str::to_owned),
        id: id.to_owned(),
        value,
        version,
    };
    core.world.tell(TOPIC, &written)
}
