//! Coins, purchases and actions: no coin is lost or made, nothing is sold twice.

use std::collections::BTreeMap;
use std::sync::Arc;

use crowdlink_core::gateway::{self, ActionChange};
use crowdlink_core::purchases::{self, Order, Refunded};
use crowdlink_core::rig::{self, Product};
use crowdlink_core::{Core, Error, Refusal};
use crowdlink_protocol::Role;
use crowdlink_store::Store as _;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use parking_lot::Mutex;
use serde_json::Value;

use crate::feature::{Feature, Turn, broadcaster, caller};
use crate::history::{Event, History};
use crate::linear::{self, Kind, Model};
use crate::node::Ground;

/// A channel whose configuration is the usual one.
const CHANNEL: &str = "shop";
const VIEWERS: usize = 2;
const ACTION: &str = "boost";
/// The most there can be of the action.
const COUNT: i64 = 3;
/// The usual one of impact 3.
const PRICE: u64 = 100;
/// Coins of one receipt.
const BITS: u64 = 150;

#[derive(Clone, Debug)]
enum Call {
    /// The receipt of that number, of a viewer.
    Credit {
        receipt: usize,
        viewer: usize,
    },
    Buy {
        viewer: usize,
    },
    /// What the purchase of that name bought.
    Refund {
        id: String,
        viewer: usize,
    },
    RefundLatest {
        viewer: usize,
    },
    Validate {
        id: String,
    },
    /// So many more, between none and the most.
    Add(i64),
    Balance {
        viewer: usize,
    },
    Left,
}

#[derive(Clone, Debug, PartialEq)]
enum Answer {
    Done,
    Bought(String, u64),
    Balance(u64),
    Left(i64),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Sold {
    Open,
    Delivered,
    Refunded,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
struct Till {
    balances: [u64; VIEWERS],
    left: i64,
    receipts: Vec<usize>,
    /// By name; where the answer was lost, by the moment that the call began.
    sold: BTreeMap<String, (usize, Sold)>,
}

impl Till {
    fn buy(&mut self, viewer: usize, name: String) -> Result<(), Refusal> {
        if self.left <= 0 {
            return Err(Refusal::SoldOut);
        }
        if self.balances[viewer] < PRICE {
            return Err(Refusal::NotEnoughCoins);
        }
        self.left -= 1;
        self.balances[viewer] -= PRICE;
        self.sold.insert(name, (viewer, Sold::Open));
        Ok(())
    }

    /// Gives coins back, where that is still open.
    fn refund(&mut self, id: &str, viewer: usize) -> bool {
        match self.sold.get_mut(id) {
            Some((of, sold @ Sold::Open)) if *of == viewer => {
                *sold = Sold::Refunded;
                self.balances[viewer] += PRICE;
                self.left = (self.left + 1).min(COUNT);
                true
            }
            _ => false,
        }
    }

    fn open_of(&self, viewer: usize) -> Vec<String> {
        let open = |(_, sold): &(&String, &(usize, Sold))| **sold == (viewer, Sold::Open);
        self.sold
            .iter()
            .filter(open)
            .map(|(id, _)| id.clone())
            .collect()
    }
}

struct Plain;

impl Plain {
    fn buy(till: &Till, event: &Event<Call, Answer>, viewer: usize) -> Vec<Till> {
        let mut after = till.clone();
        let name = match &event.answer {
            Some(Ok(Answer::Bought(id, _))) => id.clone(),
            _ => format!("at {}", event.start.seq),
        };
        let bought = after.buy(viewer, name);
        let fits = match &event.answer {
            None => bought.is_ok(),
            Some(Ok(Answer::Bought(_, balance))) => {
                bought.is_ok() && after.balances[viewer] == *balance
            }
            Some(Err(Error::Refused(refusal))) => bought == Err(*refusal),
            Some(_) => false,
        };
        if fits { vec![after] } else { Vec::new() }
    }

    fn refund(
        till: &Till,
        event: &Event<Call, Answer>,
        ids: &[String],
        viewer: usize,
    ) -> Vec<Till> {
        let refunded = |id: &String| {
            let mut after = till.clone();
            after.refund(id, viewer).then_some(after)
        };
        let all: Vec<Till> = ids.iter().filter_map(refunded).collect();
        match &event.answer {
            None | Some(Ok(_)) => all,
            Some(Err(Error::NotFound(_))) if all.is_empty() => vec![till.clone()],
            Some(Err(_)) => Vec::new(),
        }
    }
}

impl Model for Plain {
    type State = Till;
    type Call = Call;
    type Answer = Answer;

    fn kind(&self, event: &Event<Call, Answer>) -> Kind {
        match event.call {
            Call::Left => Kind::CachedRead,
            Call::Balance { .. } => Kind::Read,
            _ if matches!(event.answer, Some(Err(_))) => Kind::Read,
            _ => Kind::Write,
        }
    }

    fn concerns(&self, _: &Call, write: &Call) -> bool {
        !matches!(write, Call::Credit { .. } | Call::Validate { .. })
    }

    fn apply(&self, till: &Till, event: &Event<Call, Answer>) -> Vec<Till> {
        let mut after = till.clone();
        let fits = match (&event.call, &event.answer) {
            (Call::Buy { viewer }, _) => return Self::buy(till, event, *viewer),
            (Call::Refund { id, viewer }, _) => {
                return Self::refund(till, event, std::slice::from_ref(id), *viewer);
            }
            (Call::RefundLatest { viewer }, _) => {
                return Self::refund(till, event, &till.open_of(*viewer), *viewer);
            }
            (Call::Credit { receipt, viewer }, None | Some(Ok(_))) => {
                if !after.receipts.contains(receipt) {
                    after.receipts.push(*receipt);
                    after.receipts.sort_unstable();
                    after.balances[*viewer] += BITS;
                }
                true
            }
            (Call::Validate { id }, answer) => {
                let sold = after.sold.get_mut(id).map(|(_, sold)| sold);
                match (answer, sold) {
                    (None | Some(Ok(_)), Some(sold @ (Sold::Open | Sold::Delivered))) => {
                        *sold = Sold::Delivered;
                        true
                    }
                    (Some(Err(Error::NotFound(_))), Some(Sold::Refunded)) => true,
                    _ => false,
                }
            }
            (Call::Add(more), None | Some(Ok(_))) => {
                after.left = (after.left + more).clamp(0, COUNT);
                true
            }
            (Call::Balance { viewer }, Some(Ok(Answer::Balance(coins)))) => {
                till.balances[*viewer] == *coins
            }
            (Call::Left, Some(Ok(Answer::Left(left)))) => till.left == *left,
            _ => false,
        };
        if fits { vec![after] } else { Vec::new() }
    }
}

async fn viewer_of(core: &Core, viewer: usize) -> crowdlink_core::Caller {
    caller(core, Role::Viewer, CHANNEL, &format!("v{viewer}")).await
}

async fn call(core: &Core, call: &Call, receipts: &[String]) -> Result<Answer, Error> {
    let owner = broadcaster(core, CHANNEL).await;
    let of = |viewer: &usize| viewer_of(core, *viewer);
    match call {
        Call::Credit { receipt, viewer } => {
            let receipt = &receipts[*receipt];
            purchases::credit(core, &of(viewer).await, None, receipt, None).await?;
        }
        Call::Buy { viewer } => {
            let order = Order {
                sku: ACTION,
                price: PRICE,
                additional: None,
            };
            let bought = purchases::buy(core, &of(viewer).await, None, order).await?;
            return Ok(Answer::Bought(bought.transaction_id, bought.balance));
        }
        Call::Refund { id, viewer } => {
            let user = format!("v{viewer}");
            purchases::refund(core, &owner, Refunded::Transaction(id), &user).await?;
        }
        Call::RefundLatest { viewer } => {
            let user = format!("v{viewer}");
            purchases::refund(core, &owner, Refunded::Latest(ACTION), &user).await?;
        }
        Call::Validate { id } => purchases::validate(core, &owner, id, "").await?,
        Call::Add(more) => {
            let change = ActionChange {
                delta: Some(*more),
                ..ActionChange::default()
            };
            gateway::change_action(core, &owner, ACTION.to_owned(), change).await?;
        }
        Call::Balance { viewer } => {
            let balance = purchases::balance(core, &of(viewer).await, None).await?;
            return Ok(Answer::Balance(balance));
        }
        Call::Left => {
            let json = gateway::read(core, &owner, None).await?;
            let view: Value = serde_json::from_slice(&json).unwrap();
            return Ok(Answer::Left(
                view["actions"][0]["inventory"].as_i64().unwrap(),
            ));
        }
    }
    Ok(Answer::Done)
}

/// The till of one channel.
pub struct Shop {
    history: History<Call, Answer>,
    /// Receipts and whose they are.
    receipts: Arc<Mutex<Vec<(String, usize)>>>,
}

/// Receipts that are signed before anything begins.
const RECEIPTS: usize = 8;

impl Shop {
    pub fn new() -> Self {
        Self {
            history: History::new("shop"),
            receipts: Arc::default(),
        }
    }

    fn begin(&self, turn: &Turn<'_>, begun: Call) {
        let core = Arc::clone(&turn.core);
        let receipts: Vec<String> = self
            .receipts
            .lock()
            .iter()
            .map(|(jwt, _)| jwt.clone())
            .collect();
        let open = self
            .history
            .begin(turn.clerk, turn.node.index, begun.clone());
        turn.spawn(async move { open.end(call(&core, &begun, &receipts).await) });
    }

    /// A purchase whose name is known, and its buyer.
    fn bought(&self, turn: &mut Turn<'_>) -> Option<(String, usize)> {
        let bought = |event: Event<Call, Answer>| match (event.call, event.answer) {
            (Call::Buy { viewer }, Some(Ok(Answer::Bought(id, _)))) => Some((id, viewer)),
            _ => None,
        };
        let mut all: Vec<_> = self
            .history
            .events()
            .into_iter()
            .filter_map(bought)
            .collect();
        if all.is_empty() {
            return None;
        }
        Some(all.swap_remove(turn.dice.below(all.len())))
    }

    fn draw(&self, turn: &mut Turn<'_>) -> Call {
        let viewer = turn.dice.below(VIEWERS);
        match turn.dice.below(16) {
            // Receipts end within the hour; their calls may be repeated, on any node.
            0..=2 if turn.now_ms() < 3_000_000 => {
                let receipt = turn.dice.below(RECEIPTS);
                let viewer = self.receipts.lock()[receipt].1;
                Call::Credit { receipt, viewer }
            }
            3..=7 => Call::Buy { viewer },
            8 => self
                .bought(turn)
                .map_or(Call::Left, |(id, viewer)| Call::Refund { id, viewer }),
            9 => Call::RefundLatest { viewer },
            10 => self
                .bought(turn)
                .map_or(Call::Left, |(id, _)| Call::Validate { id }),
            11 => Call::Add(turn.dice.pick(&[-1, 1, 2])),
            12 | 13 => Call::Left,
            _ => Call::Balance { viewer },
        }
    }

    /// The sum of all movements of a viewer is the balance.
    fn balanced(ground: &Ground) -> Result<(), String> {
        let scan = ground.store.scan("", None, 10_000).now_or_never();
        let (mut sums, mut balances) = (BTreeMap::new(), BTreeMap::new());
        for entry in scan.unwrap().unwrap() {
            let value: Value = serde_json::from_slice(&entry.record.value).unwrap();
            let parts: Vec<&str> = entry.key.split('/').collect();
            match parts[..] {
                [_, _, "moves", channel, viewer, _] => {
                    let sum: &mut i64 = sums.entry(format!("{channel}/{viewer}")).or_default();
                    *sum += value["coins"].as_i64().unwrap();
                }
                [_, _, "coins", channel, viewer] => {
                    let balance = value["balance"].as_i64().unwrap();
                    balances.insert(format!("{channel}/{viewer}"), balance);
                }
                _ => {}
            }
        }
        if sums == balances {
            return Ok(());
        }
        Err(format!(
            "movements make {sums:?}, the balances are {balances:?}"
        ))
    }
}

impl Feature for Shop {
    fn set_up(&mut self, core: Arc<Core>) -> BoxFuture<'static, Result<(), Error>> {
        let receipts = Arc::clone(&self.receipts);
        Box::pin(async move {
            for number in 0..RECEIPTS {
                let viewer = number % VIEWERS;
                let product = Product {
                    sku: "bits".to_owned(),
                    display_name: None,
                    bits: BITS,
                };
                let receipt = rig::receipt(&core, &viewer_of(&core, viewer).await, &product)?;
                receipts.lock().push((receipt.transaction_receipt, viewer));
            }
            let actions = format!(
                r#"[{{"id":"{ACTION}","category":"help","state":"available","impact":3,"count":{COUNT}}}]"#
            );
            gateway::set_actions(&core, &broadcaster(&core, CHANNEL).await, &actions).await
        })
    }

    fn act(&mut self, turn: &mut Turn<'_>) {
        let call = self.draw(turn);
        self.begin(turn, call);
    }

    fn read_all(&mut self, turn: &mut Turn<'_>) {
        for viewer in 0..VIEWERS {
            self.begin(turn, Call::Balance { viewer });
        }
        self.begin(turn, Call::Left);
    }

    fn verify(&self, ground: &Ground) -> Result<(), String> {
        let initial = Till {
            left: COUNT,
            ..Till::default()
        };
        linear::check(&Plain, initial, &self.history.events())
            .map(drop)
            .and_then(|()| Self::balanced(ground))
            .map_err(|wrong| format!("{}: {wrong}", self.history.name()))
    }
}
