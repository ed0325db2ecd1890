//! One purchase, for bits or for coins.

use crowdlink_protocol::{ClientId, Stage};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// What was paid with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Currency {
    /// The platform's.
    Bits,
    /// Ours.
    Coins,
}

/// How far a purchase has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// The game has not said.
    Open,
    /// The game delivered.
    Delivered,
    /// The coins went back.
    Refunded,
}

/// One purchase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Transaction {
    /// The platform's id of it; ours where it was paid in coins (`spec 6.2`).
    pub id: String,
    /// Our id.
    pub muxy_id: String,
    /// What was bought.
    pub sku: String,
    /// What people call that.
    pub display_name: String,
    /// Who bought it: the user id, or the opaque id of who does not share it.
    pub user_id: String,
    /// What people call them.
    pub username: String,
    /// How much was paid.
    pub cost: u64,
    /// In what.
    pub currency: Currency,
    /// When (Unix ms).
    pub at_ms: i64,
    /// What the buyer sent along.
    pub additional: Box<RawValue>,
    /// Its place in the channel's book.
    pub(crate) sequence: u64,
    /// Whether one was taken from the inventory of an action.
    pub(crate) is_action: bool,
    pub(crate) status: Status,
    /// What the game told of its delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<String>,
}

impl Transaction {
    pub(crate) fn is_open(&self) -> bool {
        self.status == Status::Open
    }
}

/// Told after each purchase.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Purchased {
    /// The world.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The channel.
    pub channel: String,
    /// The purchase.
    pub transaction: Transaction,
}

/// Told when a purchase is settled: whoever holds it for a game need not any more.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Settled {
    /// Our id of the purchase.
    pub muxy_id: String,
}
