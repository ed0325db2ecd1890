//! The same poll made by a page and by a game is the same: what is stored, what is refused, what
//! is told (`spec 2.6`, `spec 3.6`).

use serde_json::{Value, json};

use crate::harness::{Audience, Http};

/// What is done to a poll. A page names `userData` what a game names `user_data`.
enum Operation {
    /// Where there is none.
    Create(Value, Value),
    /// Where there is one.
    Reconfigure(Value),
    Delete,
}
use Operation::{Create, Delete, Reconfigure};

/// What came of it.
#[derive(Debug, PartialEq)]
struct Outcome {
    refused: Option<(u64, String)>,
    stored: Value,
    game: Vec<Value>,
    viewers: Vec<(String, Value)>,
}

async fn by_page(page: &Http, operation: &Operation) -> Option<(u64, String)> {
    let path = "/v1/e/vote_config?id=p";
    let answer = match operation {
        Create(definition, config) => {
            let mut fields = definition.as_object().unwrap().clone();
            if let Some(data) = fields.remove("user_data") {
                fields.insert("userData".to_owned(), data);
            }
            fields.extend(config.as_object().unwrap().clone());
            page.post(path, &json!({ "config": fields })).await
        }
        Reconfigure(config) => page.post(path, &json!({ "config": config })).await,
        Delete => page.delete("/v1/e/vote?id=p").await,
    };
    if answer.status == 200 {
        assert_eq!(answer.ok(), json!({}));
        return None;
    }
    let reason = answer.json()["reason"].as_str().unwrap().to_owned();
    Some((answer.status.as_u16().into(), reason))
}

async fn by_game(audience: &mut Audience, operation: &Operation) -> Option<(u64, String)> {
    let (action, data) = match operation {
        Create(definition, config) => {
            let mut poll = definition.clone();
            poll["poll_id"] = json!("p");
            poll["config"] = config.clone();
            ("create", poll)
        }
        Reconfigure(config) => ("reconfigure", json!({ "poll_id": "p", "config": config })),
        Delete => ("delete", json!({ "poll_id": "p" })),
    };
    let answer = audience.host.call(action, "poll", data).await;
    if answer.get("data").is_some() {
        return None;
    }
    let error = &answer["errors"][0];
    let detail = error["detail"].as_str().unwrap().to_owned();
    Some((error["number"].as_u64().unwrap(), detail))
}

async fn outcome(audience: &mut Audience, refused: Option<(u64, String)>) -> Outcome {
    let stored = audience.voter(1).get("/v1/e/vote_config?id=p").await.json();
    let mut told = audience.told().await;
    let later = audience.in_ms(1_500).await;
    told.game.extend(later.game);
    told.viewers.extend(later.viewers);
    Outcome {
        refused,
        stored,
        game: told.game,
        viewers: told.viewers,
    }
}

fn operations() -> Vec<Operation> {
    let asked = || json!({ "prompt": "?", "options": ["A", "B"], "user_data": { "k": [1.5] } });
    let long = json!({ "prompt": "x".repeat(513) });
    vec![
        Create(json!({ "prompt": 1 }), json!({})),
        Create(json!({ "options": [1] }), json!({})),
        Create(long, json!({})),
        Create(json!({ "options": vec!["x"; 65] }), json!({})),
        Create(json!({ "user_data": "x".repeat(4_095) }), json!({})),
        Create(asked(), json!({ "totalVotesPerUser": 0 })),
        Create(
            asked(),
            json!({ "startsIn": 2, "endsIn": 30, "votesPerOption": 3 }),
        ),
        Reconfigure(json!({ "votesPerOption": 1_025 })),
        Reconfigure(json!({ "endsAt": true })),
        Reconfigure(json!({ "startsAt": 0 })),
        Reconfigure(json!({ "disabled": true, "userIDVoting": true })),
        Reconfigure(json!({ "disabled": false, "totalVotesPerUser": 1_024 })),
        Reconfigure(json!({ "distinctOptionsPerUser": 258 })),
        Reconfigure(json!({ "endsAt": -1 })),
        Reconfigure(json!({ "endsAt": -1 })),
        Reconfigure(json!({ "endsIn": 1 })),
        Reconfigure(json!({ "endsAt": 0 })),
        Reconfigure(json!({})),
        Delete,
        Delete,
        Create(json!({}), json!({ "endsAt": 1 })),
        Delete,
        Create(asked(), json!({})),
    ]
}

#[tokio::test]
async fn pages_and_games_do_the_same_to_polls() {
    let (mut rest, mut games) = (Audience::of(&["*"]).await, Audience::of(&["p"]).await);
    let page = rest.server.page("broadcaster", "900").await;
    for (index, operation) in operations().iter().enumerate() {
        let refused = by_page(&page, operation).await;
        // Each edge has its own name for the field.
        let refused = refused.map(|(status, why)| (status, why.replace("userData", "user_data")));
        let over_rest = outcome(&mut rest, refused).await;
        let refused = by_game(&mut games, operation).await;
        let by_game = outcome(&mut games, refused).await;
        assert_eq!(over_rest, by_game, "operation {index}");
    }
}
