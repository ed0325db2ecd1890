//! Purchases on their way to games: once to each, or held for the first that comes (`spec 2.9`).

use std::collections::VecDeque;
use std::sync::Arc;

use crowdlink_core::purchases::{Currency, Transaction};
use crowdlink_protocol::{TransactionItem, encode_event};
use parking_lot::Mutex;

use crate::live::{Frame, Live, Session, SubscribeError};

/// How long a purchase is held that found no game.
const HELD_MS: u64 = 5_000;
/// Purchases held. Those beyond are found by `get`, as are all.
const HELD_TRANSACTIONS_MAX: usize = 1_000;

#[derive(Debug)]
struct Held {
    since_ms: u64,
    topics: [String; 2],
    muxy_id: String,
    frame: Frame,
}

#[derive(Debug)]
pub(super) struct Purchases {
    live: Arc<Live>,
    /// Oldest first. Locked while one is told, so that all games hear them in one order and
    /// none is missed by who subscribes meanwhile.
    held: Mutex<VecDeque<Held>>,
}

impl Purchases {
    pub(super) fn new(live: &Arc<Live>) -> Self {
        Self {
            live: Arc::clone(live),
            held: Mutex::default(),
        }
    }

    pub(super) fn tell(&self, topics: [String; 2], transaction: &Transaction) {
        let item = transaction_item(transaction);
        let now_ms = self.live.clock().now_ms();
        let frame = match encode_event("twitchPurchaseBits", now_ms, &item) {
            Ok(text) => Frame::text(&text),
            Err(error) => return tracing::error!(%error, "an event could not be encoded"),
        };
        let mut held = self.held.lock();
        if self.live.hub().publish_to_any(&topics, &frame) > 0 {
            return;
        }
        self.forget_old(&mut held);
        if held.len() >= HELD_TRANSACTIONS_MAX {
            held.pop_front();
        }
        held.push_back(Held {
            since_ms: self.live.clock().monotonic_ms(),
            topics,
            muxy_id: transaction.muxy_id.clone(),
            frame,
        });
    }

    pub(super) fn settled(&self, muxy_id: &str) {
        self.held.lock().retain(|held| held.muxy_id != muxy_id);
    }

    pub(super) fn join(
        &self,
        session: &Arc<Session>,
        topic: &str,
        answered: impl FnOnce(),
    ) -> Result<(), SubscribeError> {
        let mut held = self.held.lock();
        self.live.hub().subscribe(session, topic)?;
        answered();
        self.forget_old(&mut held);
        held.retain(|one| {
            let taken = one.topics.iter().any(|other| other == topic) && session.send(&one.frame);
            !taken
        });
        Ok(())
    }

    fn forget_old(&self, held: &mut VecDeque<Held>) {
        let now_ms = self.live.clock().monotonic_ms();
        while held
            .front()
            .is_some_and(|one| now_ms >= one.since_ms + HELD_MS)
        {
            held.pop_front();
        }
    }
}

/// A purchase, as games are told.
pub(crate) fn transaction_item(transaction: &Transaction) -> TransactionItem<'_> {
    TransactionItem {
        id: &transaction.id,
        muxy_id: &transaction.muxy_id,
        sku: &transaction.sku,
        display_name: &transaction.display_name,
        user_id: &transaction.user_id,
        username: &transaction.username,
        cost: transaction.cost,
        currency: match transaction.currency {
            Currency::Bits => "bits",
            Currency::Coins => "coins",
        },
        timestamp: transaction.at_ms,
        additional: &transaction.additional,
    }
}

#[cfg(test)]
mod tests {
    use crowdlink_store::ManualClock;
    use serde_json::json;

    use super::*;
    use crate::live::LiveLimits;

    #[tokio::test]
    async fn of_more_purchases_than_are_held_the_oldest_goes_first() {
        let clock = ManualClock::new(0);
        let live = Live::start(clock.clone(), LiveLimits::default());
        let purchases = Purchases::new(&live);
        for n in 0..=HELD_TRANSACTIONS_MAX {
            let transaction = json!({
                "id": "t", "muxy_id": n.to_string(), "sku": "s", "display_name": "S",
                "user_id": "77", "username": "77", "cost": 1, "currency": "coins", "at_ms": 1,
                "additional": {}, "sequence": n, "is_action": false, "status": "open",
            });
            let transaction = serde_json::from_str(&transaction.to_string()).unwrap();
            purchases.tell(["all".to_owned(), "s".to_owned()], &transaction);
        }
        let ends = |held: &VecDeque<Held>| {
            let id = |held: Option<&Held>| held.map(|held| held.muxy_id.clone());
            (held.len(), id(held.front()), id(held.back()))
        };
        let last = HELD_TRANSACTIONS_MAX.to_string();
        let expected = (HELD_TRANSACTIONS_MAX, Some("1".to_owned()), Some(last));
        assert_eq!(ends(&purchases.held.lock()), expected);
        purchases.settled("1");
        assert_eq!(purchases.held.lock().len(), HELD_TRANSACTIONS_MAX - 1);
        clock.advance_ms(HELD_MS);
        let mut held = purchases.held.lock();
        purchases.forget_old(&mut held);
        assert!(held.is_empty());
    }
}
