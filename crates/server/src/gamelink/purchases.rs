//! Purchases on a game's connection (`spec 2.9`).

use std::sync::Arc;

use crowdlink_core::purchases::{self, Refunded};
use crowdlink_core::{Caller, Error};
use crowdlink_protocol::{PurchaseCall, RefundOf, Transactions};

use super::connection::GameConnection;
use super::played::ok;
use super::reply::Echo;
use crate::events::{Stream, transaction_item};
use crate::live::Session;

impl GameConnection {
    pub(super) async fn purchases(
        &self,
        call: PurchaseCall<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let core = &*self.edge.core;
        match call {
            PurchaseCall::Subscribe(sku) => {
                purchases::check_sku(&sku)?;
                return self.join(Stream::Purchases(&sku), caller, echo, session);
            }
            PurchaseCall::Unsubscribe(sku) => {
                return self.leave(Stream::Purchases(&sku), caller, echo, session);
            }
            PurchaseCall::Get(sku) => {
                let found = purchases::unsettled(core, caller, &sku).await?;
                let transactions = found.iter().map(transaction_item).collect();
                echo.data(session, &Transactions { transactions });
                return Ok(());
            }
            PurchaseCall::Validate {
                transaction_id,
                details,
            } => {
                let details = details.as_deref().unwrap_or_default();
                purchases::validate(core, caller, &transaction_id, details).await?;
            }
            PurchaseCall::Refund { of, user_id } => {
                let refunded = match &of {
                    RefundOf::Transaction(id) => Refunded::Transaction(id),
                    RefundOf::Sku(sku) => Refunded::Latest(sku),
                };
                purchases::refund(core, caller, refunded, &user_id).await?;
            }
        }
        ok(echo, session);
        Ok(())
    }
}
