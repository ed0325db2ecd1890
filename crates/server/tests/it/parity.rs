//! The same operation over REST and by a game has the same result, answer and events.

use serde_json::{Value, json};

use crate::harness::{Game, Http, OWNER, Server, Viewer};

/// What is done to a document.
enum Operation {
    Replace(Value),
    Patch(Value),
}
use Operation::{Patch, Replace};

/// What came of it.
#[derive(Debug, PartialEq)]
struct Outcome {
    /// The refusal's status and text, if it was refused.
    refused: Option<(u64, String)>,
    /// What is stored then.
    stored: String,
    /// What a game that listens was told.
    game_event: Option<Value>,
    /// What viewers were told.
    viewer_event: Option<(String, Value)>,
}

/// A server of its own for each side, with all that listens.
struct Side {
    server: Server,
    page: Http,
    writer: Game,
    listener: Game,
    viewer: Viewer,
}

const TARGETS: [(&str, &str); 3] = [
    ("channel", "/v1/e/channel_state"),
    ("extension", "/v1/e/extension_state"),
    ("config", "/v1/e/config/channel"),
];

impl Side {
    async fn start(target: &str) -> Self {
        let server = Server::start().await;
        let page = server.page("broadcaster", OWNER).await;
        let (writer, _) = server.paired_game(OWNER).await;
        let (mut listener, _) = server.paired_game(OWNER).await;
        let (topic, data) = if target == "config" {
            ("config", json!({ "config_id": "channel" }))
        } else {
            ("state", json!({ "topic_id": target }))
        };
        listener.call("subscribe", topic, data).await;
        let viewer = Viewer::of(&server, (target != "extension").then_some(OWNER)).await;
        Self {
            server,
            page,
            writer,
            listener,
            viewer,
        }
    }

    async fn over_rest(&self, path: &str, operation: &Operation) -> Option<(u64, String)> {
        let answer = match operation {
            Replace(body) => self.page.post(path, body).await,
            Patch(ops) => self.page.patch(path, ops).await,
        };
        if answer.status == 200 {
            assert_eq!(answer.ok(), json!({}));
            return None;
        }
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        Some((answer.status.as_u16().into(), reason))
    }

    async fn by_game(&mut self, target: &str, operation: &Operation) -> Option<(u64, String)> {
        let member = if target == "config" {
            "config"
        } else {
            "state"
        };
        let answer = match operation {
            Replace(body) => {
                self.writer
                    .call("set", target, json!({ member: body }))
                    .await
            }
            Patch(ops) => {
                let action = if target == "config" {
                    "patch"
                } else {
                    "update"
                };
                self.writer
                    .call(action, target, json!({ member: ops }))
                    .await
            }
        };
        if let Some(data) = answer.get("data") {
            let read = self
                .writer
                .call("get", target, json!({ "config_id": "channel" }))
                .await;
            assert_eq!(data[member].to_string(), read["data"][member].to_string());
            return None;
        }
        let error = &answer["errors"][0];
        let detail = error["detail"].as_str().unwrap().to_owned();
        Some((error["number"].as_u64().unwrap(), detail))
    }

    async fn outcome(&mut self, path: &str, refused: Option<(u64, String)>) -> Outcome {
        let stored = String::from_utf8(self.page.get(path).await.body.to_vec()).unwrap();
        let (mut game_event, mut viewer_event) = (None, None);
        if refused.is_none() {
            let mut event = self.listener.frame().await;
            event["meta"]["timestamp"] = json!(0);
            game_event = Some(event);
            viewer_event = Some(self.viewer.event().await);
        } else {
            self.listener.heartbeat().await;
        }
        self.server.advance_ms(1_000);
        Outcome {
            refused,
            stored,
            game_event,
            viewer_event,
        }
    }
}

fn operations() -> Vec<Operation> {
    vec![
        Replace(json!({ "a": 1, "list": [1, 2], "f": 1.0 })),
        Replace(json!([])),
        Patch(json!([{ "op": "add", "path": "/list/1", "value": "between" }])),
        Patch(json!([{ "op": "add", "path": "/list/9", "value": 0 }])),
        Patch(
            json!([{ "op": "remove", "path": "/list/0" }, { "op": "test", "path": "/a", "value": 2 }]),
        ),
        Patch(
            json!([{ "op": "move", "from": "/a", "path": "/b" }, { "op": "copy", "from": "/b", "path": "/c~1d" }]),
        ),
        Patch(json!([{ "op": "replace", "path": "/missing", "value": 1 }])),
        Patch(json!([{ "op": "move", "from": "/list", "path": "/list/0" }])),
        Patch(json!([{ "op": "copy", "path": "/x" }])),
        Patch(json!([{ "op": "jump", "path": "/x" }])),
        Patch(json!([{ "op": "add", "path": "x", "value": 1 }])),
        Patch(json!([{ "op": "remove", "path": "" }])),
        Patch(json!(["no object"])),
        Patch(json!([{ "op": "replace", "path": "", "value": { "all": "new" } }])),
        Replace(json!({ "big": "x".repeat(300_000) })),
        Replace(json!({ "text": "ä€😀\"\\\n\u{0}" })),
        Replace(json!({})),
    ]
}

#[tokio::test]
async fn rest_and_games_do_the_same() {
    for (target, path) in TARGETS {
        let (mut rest, mut games) = (Side::start(target).await, Side::start(target).await);
        for (index, operation) in operations().iter().enumerate() {
            let refused = rest.over_rest(path, operation).await;
            let over_rest = rest.outcome(path, refused).await;
            let refused = games.by_game(target, operation).await;
            let by_game = games.outcome(path, refused).await;
            assert_eq!(over_rest, by_game, "{target}, operation {index}");
        }
    }
}

#[tokio::test]
async fn rest_and_games_broadcast_the_same() {
    let server = Server::start().await;
    let mut viewer = Viewer::of(&server, Some(OWNER)).await;
    let page = server.page("broadcaster", OWNER).await;
    let (mut game, _) = server.paired_game(OWNER).await;
    for (data, fits) in [
        (json!({ "a": [1.0, null], "t": "ä\u{0}" }), true),
        (json!("x".repeat(6_000)), true),
        (json!({ "deep": nested(64) }), false),
    ] {
        let body = json!({ "target": "broadcast", "event": "e", "data": data });
        let over_rest = page.post("/v1/e/broadcast", &body).await;
        let by_game = game
            .call("broadcast", "", json!({ "topic": "e", "data": data }))
            .await;
        if fits {
            over_rest.ok();
            assert_eq!(by_game["data"], json!({ "ok": true }));
            let (first, second) = (viewer.told().await, viewer.told().await);
            assert_eq!(first, second);
        } else {
            let reason = over_rest.json()["reason"].clone();
            let error = &by_game["errors"][0];
            assert_eq!((&error["number"], &error["detail"]), (&json!(400), &reason));
        }
    }
    viewer.socket.heartbeat().await;
}

fn nested(depth: usize) -> Value {
    let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    serde_json::from_str(&text).unwrap()
}
