//! A poll in real time: the program itself, its own clock (`spec 2.6`).

use serde_json::json;

use crate::harness::program::Process;
use crate::harness::{EXTENSION, Game};

#[tokio::test]
async fn the_program_tells_a_start_in_3_s_and_an_end_in_5_s() {
    let folder = tempfile::tempdir().unwrap();
    let process = Process::start(folder.path(), &["dev"]);
    let rest = process.http("sandbox-rest");
    let body = json!({
        "app_id": EXTENSION, "channel_id": "42", "user_id": "42", "role": "broadcaster",
    });
    let answer = rest.post("/v1/e/authtoken", &body).await.ok();
    let pin = rest
        .with(EXTENSION, answer["token"].as_str().unwrap())
        .pin()
        .await;
    let path = format!("/0.0.1/{EXTENSION}");
    let mut game = Game::connect(process.address("sandbox-gamelink"), &path).await;
    game.authenticate(json!({ "pin": pin })).await;
    game.call("subscribe", "poll", json!({ "topic_id": "p" }))
        .await;
    let poll = json!({
        "poll_id": "p", "prompt": "?", "options": ["A", "B"],
        "config": { "startsIn": 3, "endsIn": 5 },
    });
    let created = game.call("create", "poll", poll).await;
    let at_ms = |frame: &serde_json::Value| frame["meta"]["timestamp"].as_i64().unwrap();
    for (status, after_ms) in [("active", 3_000), ("expired", 5_000)] {
        let event = game.frame().await;
        assert_eq!(event["meta"]["target"], "poll");
        assert_eq!(event["data"]["poll"]["status"], status);
        assert_eq!(event["data"]["count"], 0);
        // The answer may be written a little later than the poll was.
        let passed_ms = at_ms(&event) - at_ms(&created);
        let in_time = after_ms - 100..after_ms + 500;
        assert!(
            in_time.contains(&passed_ms),
            "{status} after {passed_ms} ms"
        );
    }
    game.heartbeat().await;
}
