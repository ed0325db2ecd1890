//! A match with two channels: a game that hears of its polls, another of the same channel that
//! makes them, and those who vote.

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use super::{Game, OWNER, Server, claims};

/// The match.
pub const MATCH: &str = "finals";
/// A match whose polls only tell how far the server is.
const MARK: &str = "mark";

/// Where a match is played.
pub struct Arena {
    pub server: Server,
    /// Makes polls; subscribed to nothing.
    pub host: Game,
    /// Listens to the match, and to every poll of its own channel.
    pub game: Game,
    marks: usize,
}

impl Arena {
    /// The match has channels 42 and 43, not that of its owner.
    pub async fn new() -> Self {
        let server = Server::start_with(|settings| {
            settings.timeouts.socket_silence_ms_max = u64::MAX / 4;
        })
        .await;
        Self::on(server).await
    }

    /// The same on a server that runs already; the match may be there.
    pub async fn on(server: Server) -> Self {
        let (host, _) = server.paired_game(OWNER).await;
        let (game, _) = server.paired_game(OWNER).await;
        let mut arena = Self {
            server,
            host,
            game,
            marks: 0,
        };
        for (id, channels) in [(MATCH, json!(["42", "43"])), (MARK, json!([OWNER]))] {
            arena.done("create", "match", json!({ "id": id })).await;
            let channels = json!({ "id": id, "channel_ids": channels });
            arena.done("add_channels", "match", channels).await;
            let topic = json!({ "topic_id": id });
            arena.game.done("subscribe", "match_poll", topic).await;
        }
        let all = json!({ "topic_id": "*" });
        let answer = arena.game.call("subscribe", "poll", all).await;
        assert_eq!(answer["data"], json!({ "ok": true }));
        arena
    }

    /// A request of the host that is fulfilled.
    pub async fn done(&mut self, action: &str, target: &str, data: Value) {
        self.host.done(action, target, data).await;
    }

    /// The host creates a poll in the match.
    pub async fn create(&mut self, id: &str, config: Value) {
        self.create_in(MATCH, id, config).await;
    }

    async fn create_in(&mut self, match_id: &str, id: &str, config: Value) {
        let poll = json!({
            "poll_id": id, "prompt": "?", "options": ["A", "B"], "config": config, "fresh": match_id == MARK,
        });
        let data = json!({ "id": match_id, "poll": poll });
        self.done("create", "match_poll", data).await;
    }

    /// The host changes the config of a poll of the match.
    pub async fn configure(&mut self, id: &str, config: Value) {
        let data = json!({ "id": MATCH, "poll_id": id, "config": config });
        self.done("reconfigure", "match_poll", data).await;
    }

    /// The host adds channels to the match, or removes them.
    pub async fn channels(&mut self, action: &str, channels: &[&str]) {
        let data = json!({ "id": MATCH, "channel_ids": channels });
        self.done(action, "match", data).await;
    }

    /// A viewer of a channel votes; the answer's numbers.
    pub async fn vote(&self, channel: &str, voter: usize, id: &str, value: i64) -> Value {
        let mut claims = claims("viewer", channel);
        claims["exp"] = json!(4_000_000_000_i64);
        claims["allowed_stage"] = json!("sandbox");
        claims["opaque_user_id"] = json!(format!("Uvoter-{voter}"));
        let page = self.server.signed(Stage::Sandbox, &claims);
        let path = format!("/v1/e/vote?id={id}");
        page.post(&path, &json!({ "value": value })).await.ok()
    }

    /// The data of all events of the match up to now. The marks are told behind whatever was due:
    /// the second is of a later round than the first. No poll is told as one of the game's channel.
    pub async fn told(&mut self) -> Vec<Value> {
        let mut told = Vec::new();
        for _ in 0..2 {
            self.marks += 1;
            let voter = 1_000_000 + self.marks;
            self.create_in(MARK, MARK, json!({})).await;
            self.vote(OWNER, voter, MARK, 0).await;
            loop {
                let event = self.game.event("match_poll").await;
                if event["match_id"] == MARK {
                    break;
                }
                told.push(event);
            }
        }
        told
    }

    /// What is told in so much time, at its very end.
    pub async fn in_ms(&mut self, ms: u64) -> Vec<Value> {
        self.server.advance_ms(ms);
        self.told().await
    }
}

/// Status and count of events, overall.
pub fn overall(told: &[Value]) -> Vec<(&str, i64)> {
    let of = |event: &'_ Value| event["overall"]["count"].as_i64().unwrap();
    let status = |event: &'_ Value| event["overall"]["status"] == "expired";
    let name = |expired| if expired { "expired" } else { "active" };
    told.iter()
        .map(|event| (name(status(event)), of(event)))
        .collect()
}
