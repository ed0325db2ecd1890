//! What goes through a till, and what it does to the records of a channel.

use serde_json::value::RawValue;

use super::Bought;
use super::book::{Account, Book, Books, Movement, Reason, Receipt};
use super::transaction::{Currency, Status, Transaction};
use crate::draft::Draft;
use crate::error::{Error, Refusal};
use crate::gateway::{self, Actions, Catalogue};

/// One thing to do.
#[derive(Debug)]
pub(crate) enum Operation {
    Credit(Credit),
    Buy(Buy),
    /// Delivered; what the game told of it.
    Validate(String, String),
    /// Coins go back to the viewer whose transaction it is.
    Refund(Refund),
    Actions(gateway::Change),
}

/// A receipt that is to count.
#[derive(Debug)]
pub(crate) struct Credit {
    pub(crate) viewer: String,
    /// The display name that came with it.
    pub(crate) name: Option<String>,
    pub(crate) receipt_id: String,
    pub(crate) sku: String,
    pub(crate) display_name: String,
    pub(crate) bits: u64,
    pub(crate) at_ms: i64,
}

/// An order.
#[derive(Debug)]
pub(crate) struct Buy {
    pub(crate) viewer: String,
    pub(crate) sku: String,
    pub(crate) price: u64,
    pub(crate) additional: Box<RawValue>,
}

/// A transaction that is to be refunded.
#[derive(Debug)]
pub(crate) struct Refund {
    pub(crate) muxy_id: String,
    /// Whose it must be.
    pub(crate) user_id: String,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Done,
    Bought(Bought),
}

/// What a batch works on.
pub(super) struct Page<'a> {
    pub(super) books: &'a Books,
    pub(super) draft: Draft,
    pub(super) actions_key: &'a str,
    pub(super) catalogue: Option<Catalogue>,
    pub(super) now_ms: i64,
    /// Ids for new transactions.
    pub(super) id: &'a (dyn Fn() -> String + Sync),
    /// To be told after the commit.
    pub(super) purchased: Vec<Transaction>,
    pub(super) settled: Vec<String>,
}

impl Operation {
    /// The records that it looks at, beside the book.
    pub(super) fn keys(&self, books: &Books, actions_key: &str) -> Vec<String> {
        let account = |viewer: &str| books.account_key(viewer);
        match self {
            Self::Credit(credit) => {
                vec![
                    account(&credit.viewer),
                    books.receipt_key(&credit.receipt_id),
                ]
            }
            Self::Buy(buy) => vec![account(&buy.viewer), actions_key.to_owned()],
            Self::Validate(muxy_id, _) => vec![books.transaction_key(muxy_id)],
            Self::Refund(refund) => vec![
                account(&refund.user_id),
                books.transaction_key(&refund.muxy_id),
                actions_key.to_owned(),
            ],
            Self::Actions(_) => vec![actions_key.to_owned()],
        }
    }
}

pub(super) fn no_transaction() -> Error {
    Error::NotFound("There is no such transaction that is not settled".into())
}

fn too_many() -> Error {
    Error::Internal("more coins than can be counted".to_owned())
}

impl Page<'_> {
    /// Does one thing, or refuses it and leaves everything as it was.
    pub(super) fn apply(&mut self, operation: &Operation) -> Result<Outcome, Error> {
        match operation {
            Operation::Credit(credit) => self.credit(credit),
            Operation::Buy(buy) => self.buy(buy),
            Operation::Validate(muxy_id, details) => self.validate(muxy_id, details),
            Operation::Refund(refund) => self.refund(refund),
            Operation::Actions(change) => {
                let changed = self.actions()?.changed(change)?;
                self.draft.put(self.actions_key.to_owned(), &changed)?;
                Ok(Outcome::Done)
            }
        }
    }

    fn actions(&self) -> Result<Actions, Error> {
        Ok(self.draft.get(self.actions_key)?.unwrap_or_default())
    }

    fn account(&self, viewer: &str) -> Result<Account, Error> {
        let account = self.draft.get(&self.books.account_key(viewer))?;
        Ok(account.unwrap_or_default())
    }

    /// The next number of the channel's book.
    fn next(&mut self) -> Result<u64, Error> {
        let key = self.books.book_key();
        let mut book: Book = self.draft.get(&key)?.unwrap_or_default();
        book.sequence += 1;
        self.draft.put(key, &book)?;
        Ok(book.sequence)
    }

    /// Moves coins: the one place where a balance changes.
    fn move_coins(
        &mut self,
        (viewer, mut account): (&str, Account),
        (coins, reason): (i64, Reason),
        (sequence, transaction): (u64, &str),
    ) -> Result<u64, Error> {
        let balance = account.balance.checked_add_signed(coins);
        let balance = balance.filter(|coins| i64::try_from(*coins).is_ok());
        account.balance = balance.ok_or_else(too_many)?;
        let movement = Movement {
            coins,
            reason,
            transaction: transaction.to_owned(),
            at: self.now_ms,
        };
        let key = self.books.movement_key(viewer, sequence);
        self.draft.put(key, &movement)?;
        self.draft.put(self.books.account_key(viewer), &account)?;
        Ok(account.balance)
    }

    fn open(&mut self, transaction: Transaction) -> Result<(), Error> {
        for key in self.books.unsettled_keys(&transaction) {
            self.draft.put(key, &transaction.muxy_id)?;
        }
        let key = self.books.transaction_key(&transaction.muxy_id);
        self.draft.put(key, &transaction)?;
        self.purchased.push(transaction);
        Ok(())
    }

    fn credit(&mut self, credit: &Credit) -> Result<Outcome, Error> {
        let receipt_key = self.books.receipt_key(&credit.receipt_id);
        if self.draft.get::<Receipt>(&receipt_key)?.is_some() {
            return Ok(Outcome::Done);
        }
        let mut account = self.account(&credit.viewer)?;
        if credit.name.is_some() {
            account.name.clone_from(&credit.name);
        }
        account.bits = account.bits.checked_add(credit.bits).ok_or_else(too_many)?;
        let name = account.name.clone();
        let (sequence, muxy_id) = (self.next()?, (self.id)());
        let coins = i64::try_from(credit.bits).map_err(|_| too_many())?;
        self.move_coins(
            (&credit.viewer, account),
            (coins, Reason::Credit),
            (sequence, &muxy_id),
        )?;
        let receipt = Receipt {
            channel: self.books.channel.clone(),
            transaction: muxy_id.clone(),
            at: self.now_ms,
        };
        self.draft.put(receipt_key, &receipt)?;
        self.open(Transaction {
            id: credit.receipt_id.clone(),
            muxy_id,
            sku: credit.sku.clone(),
            display_name: credit.display_name.clone(),
            user_id: credit.viewer.clone(),
            username: name.unwrap_or_else(|| credit.viewer.clone()),
            cost: credit.bits,
            currency: Currency::Bits,
            at_ms: credit.at_ms,
            additional: empty_object()?,
            sequence,
            is_action: false,
            status: Status::Open,
            details: None,
        })?;
        Ok(Outcome::Done)
    }

    /// The price and the name of something for sale, and the actions without it, if it is one.
    fn offer(&self, sku: &str) -> Result<(u64, String, Option<Actions>), Error> {
        let catalogue = self.catalogue.as_ref();
        let catalogue = catalogue.ok_or_else(|| Error::Internal("no catalogue".to_owned()))?;
        let mut actions = self.actions()?;
        let product = catalogue.product(sku);
        if let Some(action) = actions.find(sku) {
            action.take()?;
            let price = catalogue.price_of(action);
            let name = [action.name.as_str(), sku]
                .into_iter()
                .find(|name| !name.is_empty());
            let name = name.unwrap_or_default().to_owned();
            return Ok((price, name, Some(actions)));
        }
        let product = product.ok_or_else(|| Error::NotFound("There is no such SKU".into()))?;
        let name = product.display_name.as_deref().unwrap_or(sku).to_owned();
        Ok((product.price, name, None))
    }

    fn buy(&mut self, buy: &Buy) -> Result<Outcome, Error> {
        let (price, display_name, actions) = self.offer(&buy.sku)?;
        if price != buy.price {
            return Err(Refusal::PriceChanged.into());
        }
        let account = self.account(&buy.viewer)?;
        if account.balance < price {
            return Err(Refusal::NotEnoughCoins.into());
        }
        let coins = i64::try_from(price).map_err(|_| too_many())?;
        let name = account.name.clone();
        let (sequence, muxy_id) = (self.next()?, (self.id)());
        let balance = self.move_coins(
            (&buy.viewer, account),
            (-coins, Reason::Purchase),
            (sequence, &muxy_id),
        )?;
        if let Some(actions) = &actions {
            self.draft.put(self.actions_key.to_owned(), actions)?;
        }
        let bought = Bought {
            transaction_id: muxy_id.clone(),
            balance,
        };
        self.open(Transaction {
            id: muxy_id.clone(),
            muxy_id,
            sku: buy.sku.clone(),
            display_name,
            user_id: buy.viewer.clone(),
            username: name.unwrap_or_else(|| buy.viewer.clone()),
            cost: price,
            currency: Currency::Coins,
            at_ms: self.now_ms,
            additional: buy.additional.clone(),
            sequence,
            is_action: actions.is_some(),
            status: Status::Open,
            details: None,
        })?;
        Ok(Outcome::Bought(bought))
    }

    fn settle(&mut self, mut transaction: Transaction, status: Status) -> Result<(), Error> {
        for key in self.books.unsettled_keys(&transaction) {
            self.draft.delete(key);
        }
        transaction.status = status;
        let key = self.books.transaction_key(&transaction.muxy_id);
        self.draft.put(key, &transaction)?;
        self.settled.push(transaction.muxy_id);
        Ok(())
    }

    fn validate(&mut self, muxy_id: &str, details: &str) -> Result<Outcome, Error> {
        let transaction = self.draft.get(&self.books.transaction_key(muxy_id))?;
        let mut transaction: Transaction = transaction.ok_or_else(no_transaction)?;
        match transaction.status {
            Status::Open => {
                transaction.details = Some(details.to_owned()).filter(|text| !text.is_empty());
                self.settle(transaction, Status::Delivered)?;
                Ok(Outcome::Done)
            }
            // Its first answer may have been lost.
            Status::Delivered => Ok(Outcome::Done),
            Status::Refunded => Err(no_transaction()),
        }
    }

    fn refund(&mut self, refund: &Refund) -> Result<Outcome, Error> {
        let transaction = self
            .draft
            .get(&self.books.transaction_key(&refund.muxy_id))?;
        let transaction: Option<Transaction> = transaction;
        let transaction = transaction
            .filter(|found| found.status == Status::Open && found.user_id == refund.user_id)
            .ok_or_else(no_transaction)?;
        if transaction.currency == Currency::Bits {
            return Err(Error::invalid(
                "transaction_id",
                "is of bits, which cannot be refunded",
            ));
        }
        let mut actions = self.actions()?;
        let account = self.account(&refund.user_id)?;
        let coins = i64::try_from(transaction.cost).map_err(|_| too_many())?;
        let sequence = self.next()?;
        self.move_coins(
            (&refund.user_id, account),
            (coins, Reason::Refund),
            (sequence, &transaction.muxy_id),
        )?;
        if transaction.is_action
            && let Some(action) = actions.find(&transaction.sku)
        {
            action.give_back();
            self.draft.put(self.actions_key.to_owned(), &actions)?;
        }
        self.settle(transaction, Status::Refunded)?;
        Ok(Outcome::Done)
    }
}

fn empty_object() -> Result<Box<RawValue>, Error> {
    Ok(RawValue::from_string("{}".to_owned())?)
}
