//! State, configuration and messages with the real program (`spec 2.4`, `spec 2.5`, `spec 2.7`).

use crowdlink_client::{Combined, ConfigTopic, Error, Game, Patch, StateTopic};
use serde_json::{Value, json};

use crate::harness::program::Program;
use crate::harness::{connect, next};

async fn paired() -> (tempfile::TempDir, Program, Game) {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path());
    let pin = program.pin("1001").await;
    let paired = connect(&program.url()).pair_with_pin(&pin).await.unwrap();
    (folder, program, paired.game)
}

#[tokio::test]
async fn state_is_replaced_patched_read_and_heard() {
    let (_folder, _program, game) = paired().await;
    let state = game.channel_state();
    let mut changes = state.subscribe().await.unwrap();
    state.set(&json!({ "level": 1 })).await.unwrap();
    let patch = Patch::new().add("/players/red", 3).test("/level", 1);
    let now: Value = state.patch(&patch).await.unwrap();
    assert_eq!(now, json!({ "level": 1, "players": { "red": 3 } }));
    assert_eq!(state.get::<Value>().await.unwrap(), now);
    // Of changes in a row those in between may be skipped, the last never.
    loop {
        let change = next(&mut changes).await;
        assert_eq!(change.topic, StateTopic::Channel);
        if change.state == now {
            break;
        }
    }
    let error = state
        .patch::<Value>(&Patch::new().remove("/nothing"))
        .await
        .unwrap_err();
    assert_eq!(error.number(), Some(400));
    let error = state.set(&json!([1])).await.unwrap_err();
    assert_eq!(error.number(), Some(400), "not an object");
    let error = game.extension_state().set(&json!({})).await.unwrap_err();
    assert_eq!(error.number(), Some(403), "not the owner");
    assert_eq!(
        game.extension_state().get::<Value>().await.unwrap(),
        json!({})
    );
}

#[derive(Debug, serde::Deserialize)]
struct Level {
    #[expect(dead_code, reason = "it is never read")]
    level: u8,
}

#[tokio::test]
async fn an_answer_of_another_type_is_an_error_and_not_the_end() {
    let (_folder, _program, game) = paired().await;
    game.channel_state()
        .set(&json!({ "level": "high" }))
        .await
        .unwrap();
    let error = game.channel_state().get::<Level>().await.unwrap_err();
    assert!(matches!(error, Error::Unreadable(_)), "{error:?}");
    assert!(game.channel_state().get::<Value>().await.is_ok());
}

#[tokio::test]
async fn configuration_is_replaced_patched_read_and_heard() {
    let (_folder, program, game) = paired().await;
    let config = game.config();
    let mut changes = config.subscribe(ConfigTopic::Channel).await.unwrap();
    config.set(&json!({ "hardness": 1 })).await.unwrap();
    let patch = Patch::new().replace("/hardness", 2);
    let now: Value = config.patch(&patch).await.unwrap();
    assert_eq!(now, json!({ "hardness": 2 }));
    assert_eq!(
        config.get::<Value>(ConfigTopic::Channel).await.unwrap(),
        now
    );
    let both: Combined<Value, Value> = config.combined().await.unwrap();
    assert_eq!(both.channel, now);
    let page = program.page("broadcaster", "1001").await;
    page.post("/v1/e/config/channel", &json!({ "hardness": 9 }))
        .await;
    while next(&mut changes).await.config != json!({ "hardness": 9 }) {}
}

#[tokio::test]
async fn messages_go_to_viewers_and_too_long_ones_do_not() {
    let (_folder, _program, game) = paired().await;
    game.broadcast("boss", &json!({ "hp": 3 })).await.unwrap();
    game.whisper("won", "a hat", &["77"]).await.unwrap();
    game.whisper("won", "a hat", &[]).await.unwrap();
    let error = game
        .broadcast("boss", &"x".repeat(9_000))
        .await
        .unwrap_err();
    assert_eq!(error.number(), Some(400));
    let long = "x".repeat(crowdlink_client::REQUEST_BYTES_MAX);
    let error = game.broadcast("boss", &long).await.unwrap_err();
    assert!(matches!(error, Error::Unsendable(_)), "{error:?}");
    assert!(
        game.broadcast("boss", &1).await.is_ok(),
        "the connection is as before"
    );
}
