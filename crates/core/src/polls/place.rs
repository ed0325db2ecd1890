//! Which poll.

use crowdlink_protocol::{ClientId, Stage};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::error::Error;
use crate::keys;

/// The kind of the heads' records.
pub(super) const KIND: &str = "poll";
/// Longest id of a poll, in characters.
const ID_CHARS_MAX: usize = 64;

/// One poll: of a channel, or with an id that starts with `global` of the extension.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PollPlace {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The channel; none for a poll of the extension.
    pub channel: Option<String>,
    /// Its id.
    pub id: String,
}

impl PollPlace {
    /// The poll that an id names for a caller (`spec 3.6`).
    pub fn of(caller: &Caller, channel: Option<&str>, id: &str) -> Result<Self, Error> {
        check_id(id)?;
        let channel = if keys::is_global(id) {
            None
        } else {
            Some(caller.channel(channel)?.to_owned())
        };
        Ok(Self {
            stage: caller.stage,
            client_id: caller.client_id().clone(),
            channel,
            id: id.to_owned(),
        })
    }

    /// The same, if the caller may create, configure and delete it.
    pub fn writable(caller: &Caller, channel: Option<&str>, id: &str) -> Result<Self, Error> {
        let place = Self::of(caller, channel, id)?;
        if place.channel.is_none() {
            caller.require_owner()?;
        } else {
            caller.writable_channel(channel)?;
        }
        Ok(place)
    }

    /// The key of its head.
    pub(super) fn key(&self) -> String {
        let mut key = self.neighbours();
        keys::push_segment(&mut key, &self.id);
        key
    }

    /// The poll whose head stands under a key.
    pub(super) fn of_key(stage: Stage, client_id: &ClientId, key: &str) -> Option<Self> {
        let rest = key.strip_prefix(&*keys::kind(stage, client_id, KIND))?;
        let (channel, id) = if let Some(id) = rest.strip_prefix("extension/") {
            (None, id)
        } else {
            let (channel, id) = rest.strip_prefix("channel/")?.split_once('/')?;
            (Some(keys::unsegment(channel)?), id)
        };
        Some(Self {
            stage,
            client_id: client_id.clone(),
            channel,
            id: keys::unsegment(id)?,
        })
    }

    /// What the keys of the heads of all polls beside this one start with.
    pub(super) fn neighbours(&self) -> String {
        scope_prefix(self.stage, &self.client_id, self.channel.as_deref())
    }
}

/// What the keys of the heads of all polls of a channel, or of the extension, start with.
pub(super) fn scope_prefix(stage: Stage, client_id: &ClientId, channel: Option<&str>) -> String {
    let mut key = keys::kind(stage, client_id, KIND);
    if let Some(channel) = channel {
        key.push_str("channel/");
        keys::push_segment(&mut key, channel);
        key.push('/');
    } else {
        key.push_str("extension/");
    }
    key
}

/// Refuses what can be no id of a poll.
fn check_id(id: &str) -> Result<(), Error> {
    let chars = id.chars().count();
    let fits = |c: char| c != '.' && !c.is_control();
    if (1..=ID_CHARS_MAX).contains(&chars) && id.chars().all(fits) {
        return Ok(());
    }
    let expected = format!("must be 1 to {ID_CHARS_MAX} characters, no `.`, none of control");
    Err(Error::invalid("poll_id", expected))
}
