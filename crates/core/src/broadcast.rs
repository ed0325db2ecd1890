//! Broadcasts: events that a broadcaster, a game or the extension's own server sends to viewers
//! (`spec 2.7`, `spec 3.11`, `spec 4.1`).

use std::collections::BTreeSet;
use std::fmt;

use crowdlink_protocol::{ClientId, Stage, check_json_bounds};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::caller::{ALL_CHANNELS, Caller, check_id};
use crate::core::Core;
use crate::error::Error;
use crate::identity;
use crate::message::{encode_message, message_text, minified};

/// Most users that one broadcast names.
const IDS_MAX: usize = 1_000;
/// Where the bus carries [`Broadcast`].
pub(crate) const TOPIC: &str = "broadcast";
/// The target that is everybody.
const EVERYBODY: &str = "broadcast";
/// What a whisper's target begins with.
const WHISPER_PREFIX: &str = "whisper-";

/// Whom of a channel a message is for (`spec 4.1`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Target {
    /// Everybody.
    Broadcast,
    /// The viewer of an opaque id; while it is on its way here, also the one of a user id.
    Whisper(String),
}

impl Target {
    /// Reads `broadcast` or `whisper-<id>`.
    pub fn parse(text: &str) -> Result<Self, Error> {
        if text == EVERYBODY {
            return Ok(Self::Broadcast);
        }
        match text.strip_prefix(WHISPER_PREFIX) {
            Some(id) if !id.is_empty() => {
                check_id("target", id)?;
                Ok(Self::Whisper(id.to_owned()))
            }
            _ => Err(Error::invalid(
                "target",
                "must be broadcast or whisper-<id>",
            )),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broadcast => f.write_str(EVERYBODY),
            Self::Whisper(id) => write!(f, "{WHISPER_PREFIX}{id}"),
        }
    }
}

impl From<Target> for String {
    fn from(target: Target) -> Self {
        target.to_string()
    }
}

impl TryFrom<String> for Target {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::parse(&text)
    }
}

/// Told when somebody broadcast.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Broadcast {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The channel; none for all of them.
    pub channel: Option<String>,
    /// Each of these gets the message; none is named twice.
    pub targets: Vec<Target>,
    /// The message, encoded: see [`crate::encode_message`].
    pub messages: Vec<String>,
}

/// What is to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// The event's name, without a scope.
    pub event: &'a str,
    /// Any JSON; none counts as `null`, for the page library leaves it out.
    pub data: Option<&'a RawValue>,
}

/// To the viewers of a channel, by its broadcaster or a trusted role. `channel` is the one that
/// the call names; a trusted role may name `all`.
pub async fn to_channel(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    target: Target,
    outgoing: Outgoing<'_>,
) -> Result<(), Error> {
    let channel = writable(caller, channel)?;
    publish(core, caller, channel, vec![target], outgoing).await
}

/// To the viewers of all channels, by the owner or a trusted role.
pub async fn to_extension(
    core: &Core,
    caller: &Caller,
    target: Target,
    outgoing: Outgoing<'_>,
) -> Result<(), Error> {
    caller.require_owner()?;
    publish(core, caller, None, vec![target], outgoing).await
}

/// To the caller alone, in its channel (`spec 6.3`).
pub async fn to_self(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    outgoing: Outgoing<'_>,
) -> Result<(), Error> {
    let channel = caller.channel(channel)?;
    let id = match &caller.opaque_user_id {
        Some(opaque) => opaque,
        None => caller.viewer()?,
    };
    let target = Target::Whisper(id.to_owned());
    publish(core, caller, Some(channel), vec![target], outgoing).await
}

/// What the page library sends where there is no platform: its event comes already scoped, and goes
/// out scoped once (`spec 6.3`).
pub async fn scoped_to_channel(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    target: Target,
    scoped: Outgoing<'_>,
) -> Result<(), Error> {
    let channel = writable(caller, channel)?;
    let scope = format!("{}:{}:", caller.stage, caller.client_id());
    let event = scoped.event.strip_prefix(&scope).ok_or_else(|| {
        Error::invalid(
            "event",
            format!("must begin with the caller's own scope, {scope}"),
        )
    })?;
    let outgoing = Outgoing { event, ..scoped };
    publish(core, caller, channel, vec![target], outgoing).await
}

/// By a game, to its channel or to some of its viewers (`spec 2.7`). `ids` are user ids or opaque
/// ids; `data` is bounded more tightly than over REST (`spec 6.2`).
pub async fn by_game(
    core: &Core,
    caller: &Caller,
    ids: Option<&[String]>,
    outgoing: Outgoing<'_>,
) -> Result<(), Error> {
    let channel = caller.writable_channel(None)?;
    check_data(core, outgoing)?;
    let targets = match ids {
        None => vec![Target::Broadcast],
        Some(ids) => whispers(ids)?,
    };
    publish(core, caller, Some(channel), targets, outgoing).await
}

/// By a game, to the viewers of the channels of its match (`spec 2.10`). The caller is found to be
/// its owner.
pub(crate) fn by_match(
    core: &Core,
    caller: &Caller,
    channels: &BTreeSet<String>,
    outgoing: Outgoing<'_>,
) -> Result<(), Error> {
    check_data(core, outgoing)?;
    let messages = encoded(core, caller, outgoing)?;
    channels.iter().try_for_each(|channel| {
        let broadcast = Broadcast {
            stage: caller.stage,
            client_id: caller.client_id().clone(),
            channel: Some(channel.clone()),
            targets: vec![Target::Broadcast],
            messages: messages.clone(),
        };
        core.world.tell(TOPIC, &broadcast)
    })
}

/// Refuses data of a game beyond its bound.
fn check_data(core: &Core, outgoing: Outgoing<'_>) -> Result<(), Error> {
    let bytes_max = core.limits.broadcast_data_bytes_max;
    let bytes = outgoing.data.map_or(0, |data| minified(data.get()).len());
    if bytes > bytes_max {
        return Err(Error::invalid(
            "data",
            format!("must be at most {bytes_max} bytes"),
        ));
    }
    Ok(())
}

/// The channel named, if the caller may send to its viewers; `None` for all channels.
fn writable<'a>(caller: &'a Caller, named: Option<&'a str>) -> Result<Option<&'a str>, Error> {
    if named == Some(ALL_CHANNELS) {
        caller.require_owner()?;
        return Ok(None);
    }
    caller.writable_channel(named).map(Some)
}

fn whispers(ids: &[String]) -> Result<Vec<Target>, Error> {
    // Nobody is not everybody.
    if ids.is_empty() || ids.len() > IDS_MAX || ids.iter().any(String::is_empty) {
        let expected = format!("must be 1 to {IDS_MAX} ids of users, or left out");
        return Err(Error::invalid("ids", expected));
    }
    ids.iter()
        .map(|id| {
            check_id("ids", id)?;
            Ok(Target::Whisper(id.clone()))
        })
        .collect()
}

async fn publish(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    targets: Vec<Target>,
    outgoing: Outgoing<'_>,
) -> Result<(), Error> {
    let messages = encoded(core, caller, outgoing)?;
    let broadcast = Broadcast {
        stage: caller.stage,
        client_id: caller.client_id().clone(),
        channel: channel.map(str::to_owned),
        targets: identity::reached(core, caller, targets).await?,
        messages,
    };
    core.world.tell(TOPIC, &broadcast)
}

fn encoded(core: &Core, caller: &Caller, outgoing: Outgoing<'_>) -> Result<Vec<String>, Error> {
    let Outgoing { event, data } = outgoing;
    if event.is_empty() || event.chars().any(char::is_control) {
        let expected = "must be a name without control characters";
        return Err(Error::invalid("event", expected));
    }
    let json = data.map_or_else(|| "null".to_owned(), |data| minified(data.get()));
    let limits = &core.limits;
    check_json_bounds(
        json.as_bytes(),
        limits.json_depth_max,
        limits.json_object_keys_max,
    )
    .map_err(|error| Error::invalid("data", format!("is refused: {error}")))?;
    let data = RawValue::from_string(json)?;
    let text = message_text(caller.stage, caller.client_id(), event, &data)?;
    let bytes_max = limits.broadcast_bytes_max;
    if text.len() > bytes_max {
        let expected = format!(
            "makes a message of {} bytes; {bytes_max} are allowed",
            text.len()
        );
        return Err(Error::invalid("data", expected));
    }
    encode_message(text, limits.viewer_message_bytes_max)
}
