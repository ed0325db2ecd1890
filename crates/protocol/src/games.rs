//! What games are told of their viewers (`spec 2.8`–`2.12`). Types are exactly these: a client
//! built without exceptions ends with the first that is not.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One event of the datastream.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamItem {
    /// What the viewer sent.
    pub event: Box<RawValue>,
    /// Unix time in seconds.
    pub timestamp: i64,
}

/// Data of a `datastream` event.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamBatch<T> {
    /// In the order in which they came.
    pub events: Vec<T>,
}

/// Data of a `twitchPurchaseBits` event, and one transaction of an answer.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TransactionItem<'a> {
    /// The platform's id, or ours.
    pub id: &'a str,
    /// Ours.
    #[serde(rename = "muxy_id")]
    pub muxy_id: &'a str,
    /// What was bought.
    pub sku: &'a str,
    /// What people call that.
    pub display_name: &'a str,
    /// Who bought it.
    pub user_id: &'a str,
    /// What people call them.
    pub username: &'a str,
    /// How much was paid.
    pub cost: u64,
    /// `bits` or `coins`.
    pub currency: &'a str,
    /// Unix time in ms.
    pub timestamp: i64,
    /// What the buyer sent along; an object.
    pub additional: &'a RawValue,
}

/// Answer to `get` of `transaction`.
#[derive(Clone, Debug, Serialize)]
pub struct Transactions<'a> {
    /// Oldest first.
    pub transactions: Vec<TransactionItem<'a>>,
}

/// Data of a `matchmaking` event: a viewer who wants to play.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CandidateItem<'a> {
    /// What the viewer sent; an object.
    pub data: &'a RawValue,
    /// What people call the viewer.
    pub twitch_username: &'a str,
    /// Who it is.
    pub twitch_id: &'a str,
    /// Unix time in seconds.
    pub timestamp: i64,
    /// Not known here: never.
    pub is_follower: bool,
    /// Not known here: 0.
    pub subscription_tier: u32,
    /// In this channel.
    pub bits_spent: u64,
}

/// Answer to `get` of `matchmaking`.
#[derive(Clone, Debug, Serialize)]
pub struct Entries<'a> {
    /// Those who wait.
    pub entries: Vec<CandidateItem<'a>>,
}

/// One drop of an answer to `get` of `drops`.
#[derive(Clone, Debug, Serialize)]
pub struct DropItem<'a> {
    /// Its id.
    pub id: &'a str,
    /// What it is.
    pub benefit_id: &'a str,
    /// Whose it is.
    pub user_id: &'a str,
    /// For which game.
    pub game_id: &'a str,
    /// `CLAIMED` or `FULFILLED`.
    pub fulfillment_status: &'a str,
    /// Who gave it.
    pub service: &'a str,
    /// RFC 3339.
    pub last_updated: String,
}
