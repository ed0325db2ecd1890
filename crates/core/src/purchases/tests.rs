//! No coin appears or disappears, whatever happens: random histories of purchases over a store
//! that fails, refuses, hides outcomes and reorders, with crashes between.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crowdlink_protocol::{Claims, ClientId, Role, Stage};
use crowdlink_store::{Faults, ManualClock, MemoryStore, Store};
use proptest::prelude::*;
use serde_json::json;

use super::book::{Movement, Reason};
use super::operation::Credit;
use super::transaction::Status;
use super::*;
use crate::bus::LocalBus;
use crate::config::{self, ConfigId, ConfigOf};
use crate::core::CoreOptions;
use crate::random::SeededRandom;
use crate::registry::Extension;
use crate::world::World;

const VIEWERS: [&str; 3] = ["77", "78", "U79"];
const STOCK: i64 = 6;

/// One thing that somebody tries.
#[derive(Clone, Debug)]
enum Try {
    /// A receipt of a number, that a viewer sends.
    Receipt(usize, u8, u64),
    /// A viewer buys the action or the plain SKU at a price.
    Buy(usize, bool, u64),
    /// The game settles the transaction that was bought so many before the last.
    Validate(usize),
    Refund(usize),
    /// The game refunds a viewer's latest purchase of the action or the plain SKU.
    RefundLatest(usize, bool),
}

fn tries() -> impl Strategy<Value = Try> {
    let viewer = 0..VIEWERS.len();
    prop_oneof![
        3 => (viewer.clone(), 0..12_u8, 1..60_u64).prop_map(|(v, id, n)| Try::Receipt(v, id, n)),
        4 => (viewer.clone(), any::<bool>(), prop_oneof![4 => Just(10_u64), 1 => Just(9)])
            .prop_map(|(v, action, price)| Try::Buy(v, action, price)),
        1 => (0..8_usize).prop_map(Try::Validate),
        2 => (0..8_usize).prop_map(Try::Refund),
        1 => (viewer, any::<bool>()).prop_map(|(v, action)| Try::RefundLatest(v, action)),
    ]
}

fn sku(action: bool) -> &'static str {
    if action { "action" } else { "plain" }
}

fn caller(role: Role, user: &str) -> Caller {
    let extension = Extension {
        client_id: ClientId::new("ext").unwrap(),
        owner: String::new(),
        name: String::new(),
        secrets: Vec::new(),
        sandbox_takes_platform_tokens: false,
        auto_registered: false,
    };
    let claims = Claims {
        role: Some(role),
        channel_id: Some("42".to_owned()),
        user_id: Some(user.to_owned()),
        ..Claims::default()
    };
    Caller::from_claims(Stage::Sandbox, Arc::new(extension), claims, i64::MAX).unwrap()
}

struct History {
    clock: Arc<ManualClock>,
    store: Arc<MemoryStore>,
    /// What was acknowledged.
    credited: BTreeSet<String>,
    bought: BTreeSet<String>,
    /// Purchases of which nobody knows whether they happened.
    unknown: usize,
}

impl History {
    async fn begin(seed: u64) -> Self {
        let clock = ManualClock::new(1_700_000_000_000);
        let store = MemoryStore::with_faults(clock.clone(), seed, Faults::default());
        let history = Self {
            clock,
            store,
            credited: BTreeSet::new(),
            bought: BTreeSet::new(),
            unknown: 0,
        };
        let core = history.core(seed).await;
        let game = caller(Role::Broadcaster, "42");
        let of = ConfigOf {
            id: ConfigId::Channel,
            channel: None,
        };
        let skus = json!({ "skus": { "plain": { "price": 10 }, "action": { "price": 10 } } });
        let skus = skus.to_string();
        config::replace(&core, &game, of, skus.as_bytes(), None)
            .await
            .unwrap();
        let actions = json!([{
            "id": "action", "category": "help", "state": "available", "impact": 1, "count": STOCK,
        }]);
        gateway::set_actions(&core, &game, &actions.to_string())
            .await
            .unwrap();
        history
    }

    /// A server that has just started on what is stored.
    async fn core(&self, seed: u64) -> Arc<Core> {
        let world = World {
            store: self.store.clone(),
            clock: self.clock.clone(),
            random: Arc::new(SeededRandom::from_seed(seed)),
            bus: Arc::new(LocalBus::new()),
        };
        Core::open(world, CoreOptions::default()).await.unwrap()
    }

    async fn attempt(core: &Core, known: &[String], one: &Try) -> Result<Option<String>, Error> {
        let game = caller(Role::Broadcaster, "42");
        match one {
            Try::Receipt(viewer, id, bits) => {
                let viewer = caller(Role::Viewer, VIEWERS[*viewer]);
                let credit = Credit {
                    viewer: viewer.viewer().unwrap().to_owned(),
                    name: None,
                    receipt_id: id.to_string(),
                    sku: "bits".to_owned(),
                    display_name: "Bits".to_owned(),
                    bits: *bits,
                    at_ms: 1,
                };
                submit(core, &viewer, "42", Operation::Credit(credit)).await?;
                Ok(Some(id.to_string()))
            }
            Try::Buy(viewer, action, price) => {
                let order = Order {
                    sku: sku(*action),
                    price: *price,
                    additional: None,
                };
                let viewer = caller(Role::Viewer, VIEWERS[*viewer]);
                let bought = buy(core, &viewer, None, order).await?;
                Ok(Some(bought.transaction_id))
            }
            Try::Validate(back) | Try::Refund(back) => {
                let Some(id) = known.iter().rev().nth(*back) else {
                    return Ok(None);
                };
                if matches!(one, Try::Validate(_)) {
                    validate(core, &game, id, "").await?;
                    return Ok(None);
                }
                for user in VIEWERS {
                    match refund(core, &game, Refunded::Transaction(id), user).await {
                        Err(Error::NotFound(_)) => {}
                        outcome => outcome?,
                    }
                }
                Ok(None)
            }
            Try::RefundLatest(viewer, action) => {
                let latest = Refunded::Latest(sku(*action));
                refund(core, &game, latest, VIEWERS[*viewer]).await?;
                Ok(None)
            }
        }
    }

    /// Tries things at once, on both servers.
    async fn together(&mut self, servers: &[Arc<Core>; 2], tries: &[Try]) {
        let known: Vec<String> = self.bought.iter().cloned().collect();
        let servers = servers.iter().cycle();
        let attempts = tries
            .iter()
            .zip(servers)
            .map(|(one, core)| Self::attempt(core, &known, one));
        let outcomes = futures::future::join_all(attempts).await;
        for (one, outcome) in tries.iter().zip(outcomes) {
            match (one, outcome) {
                (Try::Receipt(..), Ok(Some(id))) => {
                    self.credited.insert(id);
                }
                (Try::Buy(..), Ok(Some(id))) => assert!(self.bought.insert(id), "sold twice"),
                (Try::Buy(..), Err(Error::Internal(_))) => self.unknown += 1,
                _ => {}
            }
        }
    }

    async fn all<V: serde::de::DeserializeOwned>(&self, kind: &str) -> Vec<V> {
        let prefix = format!("sandbox/ext/{kind}/");
        let page = self.store.scan(&prefix, None, 10_000).await.unwrap();
        let value =
            |entry: crowdlink_store::Entry| serde_json::from_slice(&entry.record.value).unwrap();
        page.into_iter().map(value).collect()
    }

    async fn check(&self) {
        let core = self.core(0).await;
        let books = Books::of(&caller(Role::Viewer, "77"), "42");
        let mut moves: BTreeMap<String, Vec<Movement>> = BTreeMap::new();
        for viewer in VIEWERS {
            let movements = books.movements(&core.world, viewer).await.unwrap();
            let sum: i64 = movements.iter().map(|movement| movement.coins).sum();
            let balance = balance(&core, &caller(Role::Viewer, viewer), None)
                .await
                .unwrap();
            assert_eq!(i64::try_from(balance), Ok(sum), "the balance of {viewer}");
            for movement in movements {
                moves
                    .entry(movement.transaction.clone())
                    .or_default()
                    .push(movement);
            }
        }
        let transactions: Vec<Transaction> = self.all("transaction").await;
        assert_eq!(moves.len(), transactions.len());
        let (mut coins, mut taken, mut open) = (0, 0, BTreeSet::new());
        for transaction in &transactions {
            let cost = i64::try_from(transaction.cost).unwrap();
            let expected = match (transaction.currency, transaction.status) {
                (Currency::Bits, _) => vec![(cost, Reason::Credit)],
                (Currency::Coins, Status::Refunded) => {
                    vec![(-cost, Reason::Purchase), (cost, Reason::Refund)]
                }
                (Currency::Coins, _) => vec![(-cost, Reason::Purchase)],
            };
            let moved = &moves[&transaction.muxy_id];
            let moved: Vec<_> = moved.iter().map(|one| (one.coins, one.reason)).collect();
            assert_eq!(moved, expected, "{transaction:?}");
            coins += i64::from(transaction.currency == Currency::Coins);
            taken += i64::from(transaction.is_action && transaction.status != Status::Refunded);
            if transaction.is_open() {
                open.insert(transaction.muxy_id.clone());
            }
        }
        // Once each, and nothing but what was tried.
        let receipts: Vec<book::Receipt> = self.all("receipt").await;
        assert_eq!(
            receipts.len(),
            transactions.len() - usize::try_from(coins).unwrap()
        );
        assert!(self.credited.len() <= receipts.len());
        let made = usize::try_from(coins).unwrap();
        assert!((self.bought.len()..=self.bought.len() + self.unknown).contains(&made));
        let ids: BTreeSet<_> = transactions.iter().map(|one| one.muxy_id.clone()).collect();
        assert!(
            self.bought.is_subset(&ids),
            "an acknowledged purchase is gone"
        );
        // What was sold is missing from the shelf, what was given back is there.
        let actions: Vec<gateway::Actions> = self.all("gateway-actions").await;
        let left = actions[0].actions[0].inventory;
        assert_eq!(left, gateway::Inventory::Left(STOCK - taken));
        let listed = books
            .unsettled(&core.world, (None, None), 1_000)
            .await
            .unwrap();
        assert_eq!(listed.iter().cloned().collect::<BTreeSet<_>>(), open);
        let indexed: Vec<String> = self.all("unsettled").await;
        assert_eq!(indexed.len(), 3 * open.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_coin_appears_or_disappears(
        seed: u64,
        lives in prop::collection::vec(prop::collection::vec(tries(), 0..24), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut history = History::begin(seed).await;
            for tries in &lives {
                // Two servers on one store, and then they are gone.
                let servers = [history.core(seed ^ 1).await, history.core(seed ^ 2).await];
                history.store.set_faults(Faults {
                    refuse_per_mille: 60, unknown_per_mille: 60, delay_per_mille: 400, yields_max: 4,
                });
                for together in tries.chunks(6) {
                    history.together(&servers, together).await;
                    history.clock.advance_ms(1);
                }
                history.store.set_faults(Faults::default());
                history.check().await;
            }
        });
    }
}
