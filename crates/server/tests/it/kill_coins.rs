//! Purchases and `kill -9` in the middle of them: no coin appears or disappears, and of each action
//! that is gone somebody paid (`spec 3.9`).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{self, UnboundedSender};
use tokio::task::JoinSet;

use crate::coins::BUY;
use crate::harness::Http;
use crate::kill::{CLIENT_ID, Program};
use crate::kill_storm::ask;
use crate::purchases::{PATH, balance};

const ROUNDS: u64 = 6;
const BUYERS: usize = 16;
const STOCK: u64 = 60_000;
const PRICE: u64 = 10;
const PATIENCE: Duration = Duration::from_mins(1);

/// One viewer, and what came of it so far.
#[derive(Clone, Debug)]
struct Buyer {
    index: usize,
    token: String,
    /// Receipts that were sent, also the one that may not have arrived.
    receipts: u64,
    bought: u64,
    /// Whether a purchase was under way when the server died.
    unknown: bool,
}

impl Buyer {
    fn receipt(&self, number: u64) -> Value {
        let payload = json!({
            "topic": "bits_transaction_receipt", "exp": 4_000_000_000_u64,
            "data": {
                "transactionId": format!("{}-{number}", self.index),
                "time": "2023-11-14T22:13:20Z",
                "product": {
                    "domainId": format!("twitch.ext.{CLIENT_ID}"), "sku": "coins",
                    "cost": { "amount": PRICE, "type": "bits" },
                },
            },
        });
        let parts = [json!({ "alg": "HS256" }), payload];
        let [header, payload] = parts.map(|part| STANDARD.encode(part.to_string()));
        json!({ "transactionReceipt": format!("{header}.{payload}.c2ln") })
    }

    /// Pays and buys until the server is gone.
    async fn storm(mut self, program: std::net::SocketAddr, done: UnboundedSender<()>) -> Self {
        let stream = TcpStream::connect(program).await.unwrap();
        let (mut line, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = |token: &str, path: &str, body: &Value| {
            Request::post(path)
                .header("host", "test")
                .header("authorization", format!("{CLIENT_ID} {token}"))
                .body(Full::from(body.to_string()))
                .unwrap()
        };
        loop {
            let receipt = self.receipt(self.receipts);
            self.receipts += 1;
            let paid = request(&self.token, PATH, &receipt);
            match ask(&mut line, paid).await {
                None => return self,
                Some((status, answer)) => assert_eq!(status, 201, "{answer:?}"),
            }
            let order = json!({ "sku": "heal", "price": PRICE });
            match ask(&mut line, request(&self.token, BUY, &order)).await {
                None => {
                    self.unknown = true;
                    return self;
                }
                Some((status, answer)) => assert_eq!(status, 200, "{answer:?}"),
            }
            self.bought += 1;
            let _ = done.send(());
        }
    }

    /// Sends every receipt again, and compares what the viewer has with what it knows.
    async fn check(&mut self, program: &Program) -> u64 {
        let page = Http::new(program.rest).with(CLIENT_ID, &self.token);
        for number in self.receipts.saturating_sub(3)..self.receipts {
            assert_eq!(page.post(PATH, &self.receipt(number)).await.status, 201);
        }
        let left = balance(&page).await;
        let spent = self.receipts * PRICE - left;
        let known = self.bought * PRICE;
        let happened = spent == known + PRICE;
        assert!(
            spent == known || (self.unknown && happened),
            "{self:?} has {left}"
        );
        self.bought += u64::from(happened);
        self.unknown = false;
        self.bought
    }
}

async fn open_shop(program: &Program) {
    let pin = program.pin("42").await;
    let mut game = program.game().await;
    game.authenticate(json!({ "pin": pin })).await;
    let actions = json!([{
        "id": "heal", "category": "help", "state": "available", "impact": 0, "count": STOCK,
    }]);
    game.done("set", "gatewayActions", json!({ "actions": actions }))
        .await;
}

async fn buyers(program: &Program) -> Vec<Buyer> {
    let mut buyers = Vec::new();
    for index in 0..BUYERS {
        let body = json!({
            "app_id": CLIENT_ID, "channel_id": "42", "user_id": format!("7{index}"),
            "role": "viewer",
        });
        let answer = Http::new(program.rest)
            .post("/v1/e/authtoken", &body)
            .await
            .ok();
        buyers.push(Buyer {
            index,
            token: answer["token"].as_str().unwrap().to_owned(),
            receipts: 0,
            bought: 0,
            unknown: false,
        });
    }
    buyers
}

#[tokio::test]
async fn through_kill_9_no_coin_and_no_action_appears_or_disappears() {
    let folder = tempfile::tempdir().unwrap();
    let fast = [
        "--rates-rest-requests-per-s-max=100000",
        "--rates-rest-requests-burst-max=100000",
    ];
    let mut program = Program::start_with(folder.path(), &fast);
    open_shop(&program).await;
    let mut shoppers = buyers(&program).await;
    for round in 0..ROUNDS {
        let (done, mut counted) = mpsc::unbounded_channel();
        let mut storming = JoinSet::new();
        for buyer in shoppers {
            storming.spawn(buyer.storm(program.rest, done.clone()));
        }
        drop(done);
        for _ in 0..30 + round * 17 {
            counted.recv().await.expect("a buyer failed");
        }
        program.kill_9();
        let stormed = tokio::time::timeout(PATIENCE, storming.join_all()).await;
        shoppers = stormed.unwrap();
        program = Program::start_with(folder.path(), &fast);
        let mut bought = 0;
        for buyer in &mut shoppers {
            bought += buyer.check(&program).await;
        }
        let page = Http::new(program.rest).with(CLIENT_ID, &shoppers[0].token);
        let gateway = page.get("/v1/e/gateway").await.ok();
        assert_eq!(gateway["actions"][0]["inventory"], STOCK - bought);
    }
}
