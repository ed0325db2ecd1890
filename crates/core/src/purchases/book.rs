//! The books of a channel: where its records stand.

use crowdlink_protocol::{ClientId, Stage};
use serde::{Deserialize, Serialize};

use crate::caller::Caller;
use crate::error::Error;
use crate::secret::{hex, sha256};
use crate::table::Table;
use crate::world::World;

const BOOKS: Table<Book> = Table::new("book");
const ACCOUNTS: Table<Account> = Table::new("coins");
const MOVEMENTS: Table<Movement> = Table::new("moves");
const TRANSACTIONS: Table<super::Transaction> = Table::new("transaction");
const RECEIPTS: Table<Receipt> = Table::new("receipt");
const UNSETTLED: Table<String> = Table::new("unsettled");

/// Longest id of a transaction: ours have 36 bytes.
const TRANSACTION_ID_BYTES_MAX: usize = 64;

/// The page that a channel's books are at. Every commit of its till is made against one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Book {
    /// Counts movements and transactions.
    pub(crate) sequence: u64,
}

/// What a viewer has in a channel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Coins: the sum of all movements.
    pub(crate) balance: u64,
    /// Bits that were turned into coins so far.
    pub(crate) bits: u64,
    /// The display name that came with the last receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
}

/// Why coins moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Reason {
    /// Bits were spent.
    Credit,
    /// Something was bought.
    Purchase,
    /// What was bought was given back.
    Refund,
}

/// Coins that came or went. Never changed, never removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Movement {
    /// More, or fewer.
    pub(crate) coins: i64,
    pub(crate) reason: Reason,
    /// The transaction it belongs to.
    pub(crate) transaction: String,
    /// Unix ms.
    pub(crate) at: i64,
}

/// A receipt that counted; it never counts again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) channel: String,
    /// The transaction that came of it.
    pub(crate) transaction: String,
    /// Unix ms.
    pub(crate) at: i64,
}

/// A channel of an extension on a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Books {
    pub(crate) stage: Stage,
    pub(crate) client_id: ClientId,
    pub(crate) channel: String,
}

/// Sorts as its number does.
fn digits(sequence: u64) -> String {
    format!("{sequence:016x}")
}

/// A text of any length as a part of a key.
fn hashed(parts: &[&str]) -> String {
    let text = serde_json::Value::from(parts.to_vec()).to_string();
    hex(&sha256(text.as_bytes())).chars().take(40).collect()
}

impl Books {
    pub(crate) fn of(caller: &Caller, channel: &str) -> Self {
        Self {
            stage: caller.stage,
            client_id: caller.client_id().clone(),
            channel: channel.to_owned(),
        }
    }

    fn key<V: Serialize + serde::de::DeserializeOwned>(
        &self,
        table: &Table<V>,
        rest: &[&str],
    ) -> String {
        let parts = [&[self.channel.as_str()], rest].concat();
        table.key(self.stage, &self.client_id, &parts)
    }

    pub(crate) fn book_key(&self) -> String {
        self.key(&BOOKS, &[])
    }

    pub(crate) fn account_key(&self, viewer: &str) -> String {
        self.key(&ACCOUNTS, &[viewer])
    }

    pub(crate) fn movement_key(&self, viewer: &str, sequence: u64) -> String {
        self.key(&MOVEMENTS, &[viewer, &digits(sequence)])
    }

    pub(crate) fn transaction_key(&self, id: &str) -> String {
        self.key(&TRANSACTIONS, &[id])
    }

    /// The key of a receipt, which counts once in all channels.
    pub(crate) fn receipt_key(&self, id: &str) -> String {
        RECEIPTS.key(self.stage, &self.client_id, &[id])
    }

    /// Keys under which an unsettled transaction is found: among all, oldest first; among those
    /// of its SKU, oldest first; among those of its SKU and user, newest first.
    pub(crate) fn unsettled_keys(&self, transaction: &super::Transaction) -> [String; 3] {
        let super::Transaction {
            sku,
            user_id,
            sequence,
            ..
        } = transaction;
        let key = |list: String, sequence| self.key(&UNSETTLED, &[&list, &digits(sequence)]);
        [
            key("all".to_owned(), *sequence),
            key(hashed(&[sku]), *sequence),
            key(hashed(&[sku, user_id]), u64::MAX - sequence),
        ]
    }

    /// The list of the unsettled transactions of a channel, of a SKU, or of a user with a SKU.
    fn list(&self, sku: Option<&str>, user_id: Option<&str>) -> String {
        let list = match (sku, user_id) {
            (None, _) => "all".to_owned(),
            (Some(sku), None) => hashed(&[sku]),
            (Some(sku), Some(user_id)) => hashed(&[sku, user_id]),
        };
        self.key(&UNSETTLED, &[&list, ""])
    }

    /// The first unsettled transactions of a list, by id.
    pub(crate) async fn unsettled(
        &self,
        world: &World,
        (sku, user_id): (Option<&str>, Option<&str>),
        limit: usize,
    ) -> Result<Vec<String>, Error> {
        let list = self.list(sku, user_id);
        let page = UNSETTLED.scan(&*world.store, &list, None, limit).await?;
        Ok(page.into_iter().map(|stored| stored.value).collect())
    }

    pub(crate) async fn account(&self, world: &World, viewer: &str) -> Result<Account, Error> {
        let account = ACCOUNTS
            .get(&*world.store, &self.account_key(viewer))
            .await?;
        Ok(account.map(|stored| stored.value).unwrap_or_default())
    }

    pub(crate) async fn transaction(
        &self,
        world: &World,
        id: &str,
    ) -> Result<Option<super::Transaction>, Error> {
        // What no id can be is not looked up.
        if id.is_empty() || id.len() > TRANSACTION_ID_BYTES_MAX {
            return Ok(None);
        }
        let found = TRANSACTIONS
            .get(&*world.store, &self.transaction_key(id))
            .await?;
        Ok(found.map(|stored| stored.value))
    }

    pub(crate) async fn knows_receipt(&self, world: &World, id: &str) -> Result<bool, Error> {
        let receipt = RECEIPTS.get(&*world.store, &self.receipt_key(id)).await?;
        Ok(receipt.is_some())
    }

    /// Every movement of a viewer, oldest first.
    #[cfg(test)]
    pub(crate) async fn movements(
        &self,
        world: &World,
        viewer: &str,
    ) -> Result<Vec<Movement>, Error> {
        let prefix = self.key(&MOVEMENTS, &[viewer, ""]);
        let page = MOVEMENTS.scan(&*world.store, &prefix, None, 10_000).await?;
        Ok(page.into_iter().map(|stored| stored.value).collect())
    }
}
