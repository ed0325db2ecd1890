//! Purchases (`spec 2.9`).

use std::borrow::Cow;

use super::CallError;
use super::data::{members, required_text, text};
use crate::envelope::Request;

/// Which transaction is to be refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOf<'a> {
    /// This one.
    Transaction(Cow<'a, str>),
    /// The latest of this SKU that is not settled.
    Sku(Cow<'a, str>),
}

/// What a game asks of purchases. A SKU may be `*`, which is all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PurchaseCall<'a> {
    /// Hear of a SKU.
    Subscribe(Cow<'a, str>),
    /// Hear of it no more.
    Unsubscribe(Cow<'a, str>),
    /// The oldest transactions that are not settled.
    Get(Cow<'a, str>),
    /// The transaction was delivered.
    Validate {
        /// Which one.
        transaction_id: Cow<'a, str>,
        /// What the game tells of it.
        details: Option<Cow<'a, str>>,
    },
    /// Coins are to go back.
    Refund {
        /// For what.
        of: RefundOf<'a>,
        /// To whom.
        user_id: Cow<'a, str>,
    },
}

impl<'a> PurchaseCall<'a> {
    /// `None` where there is no such action on this target.
    pub(super) fn parse(request: &Request<'a>) -> Result<Option<Self>, CallError> {
        let names = ["sku", "transaction_id", "user_id", "details"];
        let [sku, transaction_id, user_id, details] = members(request, names)?;
        let transactions = request.target == "transaction";
        Ok(Some(match &*request.action {
            "subscribe" if !transactions => Self::Subscribe(required_text(sku, "sku")?),
            "unsubscribe" if !transactions => Self::Unsubscribe(required_text(sku, "sku")?),
            "get" if transactions => Self::Get(required_text(sku, "sku")?),
            "validate" if transactions => Self::Validate {
                transaction_id: required_text(transaction_id, "transaction_id")?,
                details: text(details, "details")?,
            },
            "refund" if transactions => {
                let of = match (text(transaction_id, "transaction_id")?, text(sku, "sku")?) {
                    (Some(id), _) => RefundOf::Transaction(id),
                    (None, Some(sku)) => RefundOf::Sku(sku),
                    (None, None) => {
                        return Err(CallError::Field {
                            field: "transaction_id",
                            expected: "or sku is required",
                        });
                    }
                };
                let user_id = required_text(user_id, "user_id")?;
                Self::Refund { of, user_id }
            }
            _ => return Ok(None),
        }))
    }
}
