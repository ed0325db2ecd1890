//! A game and a viewer who hear of polls, a second game that makes them, and those who vote.

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use super::{Game, Http, OWNER, Server, Viewer, claims, eventually};

/// The channel, whose broadcaster owns the extension.
const CHANNEL: &str = OWNER;
/// A poll that only tells how far the server is.
const MARK: &str = "mark";

/// A channel in which polls are heard of.
pub struct Audience {
    pub server: Server,
    /// Makes polls; subscribed to nothing.
    pub host: Game,
    /// Listens.
    pub game: Game,
    viewer: Viewer,
}

/// What came since the last look.
#[derive(Debug, Default, PartialEq)]
pub struct Told {
    /// The data of events to the game.
    pub game: Vec<Value>,
    /// Names and data of events to viewers.
    pub viewers: Vec<(String, Value)>,
}

impl Told {
    /// Status and count of each event to the game.
    pub fn counts(&self) -> Vec<(&str, i64)> {
        let events = self.game.iter();
        let of = |event: &'_ Value| event["count"].as_i64().unwrap();
        let status = |event: &'_ Value| event["poll"]["status"] == "expired";
        let name = |expired| if expired { "expired" } else { "active" };
        events
            .map(|event| (name(status(event)), of(event)))
            .collect()
    }

    /// The names of events to viewers.
    pub fn names(&self) -> Vec<&str> {
        self.viewers.iter().map(|(name, _)| &**name).collect()
    }
}

impl Audience {
    /// The listening game subscribes to these polls.
    pub async fn of(topics: &[&str]) -> Self {
        let server = Server::start_with(|settings| {
            settings.timeouts.socket_silence_ms_max = u64::MAX / 4;
        })
        .await;
        Self::on(server, topics).await
    }

    /// The same on a server that runs already.
    pub async fn on(server: Server, topics: &[&str]) -> Self {
        let (host, _) = server.paired_game(CHANNEL).await;
        let (game, _) = server.paired_game(CHANNEL).await;
        let viewer = Viewer::of(&server, Some(CHANNEL)).await;
        let mut audience = Self {
            server,
            host,
            game,
            viewer,
        };
        for topic in topics.iter().copied().chain([MARK]) {
            let data = json!({ "topic_id": topic });
            let answer = audience.game.call("subscribe", "poll", data).await;
            assert_eq!(answer["data"], json!({ "ok": true }));
        }
        audience
    }

    /// Only the server stays.
    pub async fn into_server(self) -> Server {
        let Self {
            server,
            host,
            game,
            viewer,
        } = self;
        drop((host, game, viewer));
        let sessions = || server.app.live.sessions();
        eventually("all have gone", || async { sessions() == 0 }).await;
        server
    }

    /// The host creates a poll.
    pub async fn create(&mut self, id: &str, config: Value) -> Value {
        let poll = json!({
            "poll_id": id, "prompt": "?", "options": ["A", "B"], "config": config,
        });
        self.asked("create", poll).await
    }

    /// What the host's request is answered with; it succeeds.
    pub async fn asked(&mut self, action: &str, data: Value) -> Value {
        let answer = self.host.call(action, "poll", data).await;
        assert_eq!(answer.get("errors"), None, "{action}");
        answer["data"].clone()
    }

    /// A page of a viewer of that number.
    pub fn voter(&self, number: usize) -> Http {
        let mut claims = claims("viewer", CHANNEL);
        claims["allowed_stage"] = json!("sandbox");
        claims["opaque_user_id"] = json!(format!("Uvoter-{number}"));
        self.server.signed(Stage::Sandbox, &claims)
    }

    /// That viewer votes.
    pub async fn vote(&self, number: usize, id: &str, value: i64) -> Value {
        let path = format!("/v1/e/vote?id={id}");
        let page = self.voter(number);
        page.post(&path, &json!({ "value": value })).await.ok()
    }

    /// All that was told up to now. The mark is told behind whatever was due: the pump looks at
    /// what is due in rounds, and the second mark is of a later round than the first.
    pub async fn told(&mut self) -> Told {
        let mut told = Told::default();
        for _ in 0..2 {
            self.create(MARK, json!({})).await;
            loop {
                let frame = self.game.frame().await;
                let (meta, data) = (&frame["meta"], &frame["data"]);
                assert_eq!(
                    (&meta["request_id"], &meta["action"], &meta["target"]),
                    (&json!(65_535), &json!("update"), &json!("poll"))
                );
                if data["topic_id"] == MARK {
                    break;
                }
                told.game.push(data.clone());
            }
            loop {
                let event = self.viewer.event().await;
                if event.0 == format!("poll_update:{MARK}") {
                    break;
                }
                told.viewers.push(event);
            }
        }
        told
    }

    /// What is told in so much time, at its very end.
    pub async fn in_ms(&mut self, ms: u64) -> Told {
        self.server.advance_ms(ms);
        self.told().await
    }
}
