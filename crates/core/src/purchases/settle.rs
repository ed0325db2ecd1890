//! What a game does with purchases (`spec 2.9`).

use super::book::Books;
use super::operation::{Operation, Refund, no_transaction};
use super::transaction::Transaction;
use super::{UNSETTLED_MAX, check_sku, submit};
use crate::caller::{Caller, check_id};
use crate::core::Core;
use crate::error::Error;
use crate::world::CONFLICT_TRIES_MAX;

/// The SKU that stands for all.
const ALL_SKUS: &str = "*";
/// What a game tells of a delivery.
const DETAILS_BYTES_MAX: usize = 1_024;

/// Which transaction is to be refunded.
#[derive(Clone, Copy, Debug)]
pub enum Refunded<'a> {
    /// This one.
    Transaction(&'a str),
    /// The latest unsettled one of this SKU.
    Latest(&'a str),
}

/// Up to 10 transactions of a SKU, or with `*` of all, that are not settled, oldest first.
pub async fn unsettled(core: &Core, caller: &Caller, sku: &str) -> Result<Vec<Transaction>, Error> {
    let books = Books::of(caller, caller.broadcaster_channel()?);
    let sku = Some(sku).filter(|sku| *sku != ALL_SKUS);
    sku.map_or(Ok(()), check_sku)?;
    let ids = books
        .unsettled(&core.world, (sku, None), UNSETTLED_MAX)
        .await?;
    let mut transactions = Vec::with_capacity(ids.len());
    for id in ids {
        // One that was settled meanwhile is there as well.
        transactions.extend(books.transaction(&core.world, &id).await?);
    }
    transactions.retain(Transaction::is_open);
    Ok(transactions)
}

/// Settles a transaction: the game has delivered.
pub async fn validate(
    core: &Core,
    caller: &Caller,
    transaction_id: &str,
    details: &str,
) -> Result<(), Error> {
    let channel = caller.broadcaster_channel()?;
    if details.len() > DETAILS_BYTES_MAX {
        let expected = format!("must be at most {DETAILS_BYTES_MAX} bytes");
        return Err(Error::invalid("details", expected));
    }
    let books = Books::of(caller, channel);
    let found = books.transaction(&core.world, transaction_id).await?;
    let muxy_id = found.ok_or_else(no_transaction)?.muxy_id;
    let operation = Operation::Validate(muxy_id, details.to_owned());
    submit(core, caller, channel, operation).await?;
    Ok(())
}

/// Gives the coins of an unsettled transaction back to the user who paid them, once.
pub async fn refund(
    core: &Core,
    caller: &Caller,
    refunded: Refunded<'_>,
    user_id: &str,
) -> Result<(), Error> {
    let channel = caller.broadcaster_channel()?;
    check_id("user_id", user_id)?;
    let books = Books::of(caller, channel);
    let sku = match refunded {
        Refunded::Transaction(id) => {
            let found = books.transaction(&core.world, id).await?;
            let muxy_id = found.ok_or_else(no_transaction)?.muxy_id;
            return give_back(core, caller, channel, muxy_id, user_id).await;
        }
        Refunded::Latest(sku) => sku,
    };
    check_sku(sku)?;
    // Whoever settles the latest first leaves the one before it.
    for _ in 0..CONFLICT_TRIES_MAX {
        let latest = books
            .unsettled(&core.world, (Some(sku), Some(user_id)), 1)
            .await?;
        let muxy_id = latest.into_iter().next().ok_or_else(no_transaction)?;
        match give_back(core, caller, channel, muxy_id, user_id).await {
            Err(Error::NotFound(_)) => {}
            outcome => return outcome,
        }
    }
    Err(no_transaction())
}

async fn give_back(
    core: &Core,
    caller: &Caller,
    channel: &str,
    muxy_id: String,
    user_id: &str,
) -> Result<(), Error> {
    let refund = Refund {
        muxy_id,
        user_id: user_id.to_owned(),
    };
    submit(core, caller, channel, Operation::Refund(refund)).await?;
    Ok(())
}
