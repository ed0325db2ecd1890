//! Actions that a game offers to its viewers, and what it says of itself (`spec 2.13`).
//!
//! Actions and metadata are documents of the channel, so they are cached and told like state.
//! Actions are written by the channel's till (`crate::purchases`), for a purchase takes from their
//! inventory in the commit that takes the coins.

mod action;
mod catalogue;
mod metadata;
mod view;

pub use action::{Action, ActionState, Category, Inventory};
pub(crate) use action::{Actions, Change};
pub(crate) use catalogue::Catalogue;
pub use catalogue::coins;
pub use metadata::set_metadata;
pub(crate) use view::Views;
pub use view::{read, read_for_viewers};

use crate::caller::Caller;
use crate::core::Core;
use crate::error::Error;
use crate::purchases;
use crate::shared::{DocumentKind, Place, Scope};

/// A change of one action; what is left out stays (`spec 2.13`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionChange {
    /// Whether it is offered.
    pub state: Option<ActionState>,
    /// The most there can be: −1 or 65535 for no end.
    pub count: Option<i64>,
    /// How many there are.
    pub inventory: Option<i64>,
    /// How many more there are, or fewer. Where there is no end of them it changes nothing.
    pub delta: Option<i64>,
}

/// Puts a list of actions in the place of the one before. An action that was there keeps what is
/// left of it, as far as the new `count` allows.
pub async fn set_actions(core: &Core, caller: &Caller, json: &str) -> Result<(), Error> {
    let channel = caller.broadcaster_channel()?;
    let actions = Actions::parse(json)?;
    purchases::change_actions(core, caller, channel, Change::Replace(actions)).await
}

/// Changes one action; 404 where there is none of this id.
pub async fn change_action(
    core: &Core,
    caller: &Caller,
    id: String,
    change: ActionChange,
) -> Result<(), Error> {
    let channel = caller.broadcaster_channel()?;
    purchases::change_actions(core, caller, channel, Change::One(id, change)).await
}

/// The one document of a gateway by which its viewers are told of a change of any.
pub fn told_as(mut place: Place) -> Place {
    if place.kind == DocumentKind::GatewayMetadata {
        place.kind = DocumentKind::GatewayActions;
    }
    place
}

pub(crate) fn place(
    stage: crowdlink_protocol::Stage,
    client_id: &crowdlink_protocol::ClientId,
    channel: &str,
    kind: DocumentKind,
) -> Place {
    Place {
        stage,
        client_id: client_id.clone(),
        kind,
        scope: Scope::Channel(channel.to_owned()),
    }
}
