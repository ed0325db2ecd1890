//! Purchases and coins (`spec 2.9`, `spec 3.9`).
//!
//! Everything that moves coins in a channel goes through the channel's *till*: one batch after the
//! other, each one commit. It guards a book of the channel, which counts movements, so that two
//! nodes never act on the same page; balance, movement, inventory and transaction change together
//! or not at all. The balance of a viewer is the sum of the viewer's movements.

mod book;
mod go_time;
mod operation;
mod receipt;
mod settle;
#[cfg(test)]
mod tests;
mod till;
mod transaction;

pub use receipt::credit;
pub use settle::{Refunded, refund, unsettled, validate};
pub use transaction::{Currency, Purchased, Settled, Transaction};

pub(crate) use book::Books;
pub(crate) use operation::{Operation, Outcome};

use crate::caller::Caller;
use crate::core::Core;
use crate::datastream::object;
use crate::error::Error;
use crate::gateway;
use operation::Buy;
use till::Till;

/// Where the bus carries [`Purchased`].
pub(crate) const PURCHASED_TOPIC: &str = "purchased";
/// Where the bus carries [`Settled`].
pub(crate) const SETTLED_TOPIC: &str = "settled";
/// Transactions of one answer (`spec 2.9`).
const UNSETTLED_MAX: usize = 10;
/// `additional` of a purchase, minified.
const ADDITIONAL_BYTES_MAX: usize = 2_048;
/// Longest SKU.
const SKU_BYTES_MAX: usize = 256;

/// What a viewer bought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bought {
    /// The transaction, by which a game settles it.
    pub transaction_id: String,
    /// What the viewer has left.
    pub balance: u64,
}

/// What a viewer wants to buy.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// A SKU of the channel's configuration, or the id of an action.
    pub sku: &'a str,
    /// The price that the viewer saw.
    pub price: u64,
    /// For the game: any object.
    pub additional: Option<&'a str>,
}

/// The coins that the caller has in a channel.
pub async fn balance(core: &Core, caller: &Caller, channel: Option<&str>) -> Result<u64, Error> {
    let books = Books::of(caller, caller.channel(channel)?);
    let account = books.account(&core.world, caller.viewer()?).await?;
    Ok(account.balance)
}

/// Buys for coins. Price, coins and inventory are checked in the commit that moves them.
pub async fn buy(
    core: &Core,
    caller: &Caller,
    channel: Option<&str>,
    order: Order<'_>,
) -> Result<Bought, Error> {
    let channel = caller.channel(channel)?;
    check_sku(order.sku)?;
    let additional = order.additional.unwrap_or("{}").as_bytes();
    let buy = Buy {
        viewer: caller.viewer()?.to_owned(),
        sku: order.sku.to_owned(),
        price: order.price,
        additional: object(core, additional, ADDITIONAL_BYTES_MAX)?,
    };
    match submit(core, caller, channel, Operation::Buy(buy)).await? {
        Outcome::Bought(bought) => Ok(bought),
        Outcome::Done => Err(Error::Internal(
            "a purchase without a transaction".to_owned(),
        )),
    }
}

/// Changes the actions of a channel.
pub(crate) async fn change_actions(
    core: &Core,
    caller: &Caller,
    channel: &str,
    change: gateway::Change,
) -> Result<(), Error> {
    submit(core, caller, channel, Operation::Actions(change)).await?;
    Ok(())
}

async fn submit(
    core: &Core,
    caller: &Caller,
    channel: &str,
    operation: Operation,
) -> Result<Outcome, Error> {
    let books = Books::of(caller, channel);
    let till = || Till::new(core.world.clone(), core.shared.clone(), books.clone());
    core.tills.submit(books.book_key(), operation, till).await
}

/// Refuses a text that can be no SKU.
pub fn check_sku(sku: &str) -> Result<(), Error> {
    if sku.is_empty() || sku.len() > SKU_BYTES_MAX || sku.chars().any(char::is_control) {
        let expected = format!("must be 1 to {SKU_BYTES_MAX} bytes without control characters");
        return Err(Error::invalid("sku", expected));
    }
    Ok(())
}
