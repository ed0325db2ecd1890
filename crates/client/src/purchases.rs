//! What viewers buy (`spec 2.9`).

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::Error;
use crate::event::Event;
use crate::frame::or_default;
use crate::game::Game;
use crate::link::Repeat;
use crate::queue::{Gap, Told};
use crate::stream::EventStream;
use crate::topic::Topic;

/// What was paid with.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
#[non_exhaustive]
pub enum Currency {
    /// The platform's, for real money.
    Bits,
    /// The channel's own.
    #[default]
    Coins,
    /// One that this library does not know.
    Other(String),
}

impl From<String> for Currency {
    fn from(name: String) -> Self {
        match &*name {
            "bits" => Self::Bits,
            "coins" => Self::Coins,
            _ => Self::Other(name),
        }
    }
}

/// Something that a viewer paid for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Purchase {
    /// The platform's id of the transaction.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    /// The server's id: what [`Transactions::validate`] and [`Transactions::refund`] want, and what
    /// tells one purchase from the same one heard twice.
    #[serde(rename = "muxy_id")]
    pub transaction_id: String,
    /// What was bought.
    pub sku: String,
    /// Its name for people.
    #[serde(default, deserialize_with = "or_default")]
    pub display_name: String,
    /// Who bought it.
    #[serde(default, deserialize_with = "or_default")]
    pub user_id: String,
    /// That viewer's name. Nobody vouches for it.
    #[serde(default, deserialize_with = "or_default")]
    pub username: String,
    /// What it cost, in `currency`.
    #[serde(default, deserialize_with = "or_default")]
    pub cost: i64,
    /// What was paid with.
    #[serde(default, deserialize_with = "or_default")]
    pub currency: Currency,
    /// When, in Unix ms by the server's clock.
    #[serde(default, rename = "timestamp", deserialize_with = "or_default")]
    pub timestamp_ms: i64,
    /// What the viewer's page said with it: trust nothing in it.
    #[serde(default)]
    pub additional: Value,
}

/// Purchases that wait to be delivered.
#[derive(Clone, Copy, Debug)]
pub struct Transactions<'a>(pub(crate) &'a Game);

#[derive(Deserialize)]
struct Open {
    #[serde(default, deserialize_with = "or_default")]
    transactions: Vec<Purchase>,
}

impl Transactions<'_> {
    /// Purchases of a SKU, or of all (`*`), as they are made. There is no replay: after a [`Gap`], and at
    /// the start of a game, [`open`](Self::open) tells what was missed.
    pub async fn subscribe(&self, sku: &str) -> Result<EventStream<Result<Purchase, Gap>>, Error> {
        self.0
            .subscribe(Topic::Purchases(sku.to_owned()), bought)
            .await
    }

    /// Up to 10 purchases of a SKU, or of all (`*`), that are not settled; oldest first.
    pub async fn open(&self, sku: &str) -> Result<Vec<Purchase>, Error> {
        let data = json!({ "sku": sku });
        let open: Open = self
            .0
            .call("get", "transaction", &data, Repeat::Always)
            .await?;
        Ok(open.transactions)
    }

    /// Settles a purchase: the viewer got it. `details` (at most 1 KiB) are kept with it.
    pub async fn validate(&self, transaction_id: &str, details: &str) -> Result<(), Error> {
        let data = json!({ "transaction_id": transaction_id, "details": details });
        self.0
            .order("validate", "transaction", &data, Repeat::Always)
            .await
    }

    /// Gives a viewer's coins back, once. 404 where it is settled already, 400 for bits.
    pub async fn refund(&self, transaction_id: &str, user_id: &str) -> Result<(), Error> {
        let data = json!({ "transaction_id": transaction_id, "user_id": user_id });
        self.0
            .order("refund", "transaction", &data, Repeat::Never)
            .await
    }

    /// The same for a viewer's latest unsettled purchase of a SKU.
    pub async fn refund_latest(&self, sku: &str, user_id: &str) -> Result<(), Error> {
        let data = json!({ "sku": sku, "user_id": user_id });
        self.0
            .order("refund", "transaction", &data, Repeat::Never)
            .await
    }
}

fn bought(told: Told) -> Option<Result<Purchase, Gap>> {
    match told {
        Told::Event(Event::Purchase(purchase)) => Some(Ok(purchase)),
        Told::Event(_) => None,
        Told::Gap(gap) => Some(Err(gap)),
    }
}
