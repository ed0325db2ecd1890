//! The server dies without warning and comes back on the same port: games notice little.

use crowdlink_client::{ConfigTopic, Paired, Poll, PollStatus, Status};
use serde_json::{Value, json};

use crate::harness::program::Program;
use crate::harness::{Shelf, connect, next, soon};

#[tokio::test]
async fn after_kill_9_every_subscription_is_there_again_and_tells_what_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(folder.path());
    let pin = program.pin("1001").await;
    let shelf = Shelf::default();
    let connect = connect(&program.url()).store_tokens(shelf.clone());
    let Paired { game, .. } = connect.clone().pair_with_pin(&pin).await.unwrap();
    let polls = game.polls();
    let mut states = game.channel_state().subscribe().await.unwrap();
    let mut configs = game.config().subscribe(ConfigTopic::Channel).await.unwrap();
    let mut news = polls.subscribe("boss").await.unwrap();
    let mut all = polls.subscribe_all().await.unwrap();
    polls
        .create(&Poll::new("boss", "Who?", ["Dragon", "Kraken"]))
        .await
        .unwrap();
    assert_eq!(next(&mut news).await.poll.status, PollStatus::Active);
    assert_eq!(next(&mut all).await.poll.status, PollStatus::Active);
    game.channel_state()
        .set(&json!({ "round": 0 }))
        .await
        .unwrap();

    for round in 1..=3 {
        program.kill_9();
        let mut status = game.status();
        let lost = |status: &Status| matches!(status, Status::Reconnecting { .. });
        soon("the loss", status.wait_for(lost)).await.unwrap();
        // What is asked meanwhile waits.
        let twin = game.clone();
        let asked = tokio::spawn(async move { twin.channel_state().get::<Value>().await });
        program.kill_9_and_restart(folder.path());
        let state = soon("the answer", asked).await.unwrap().unwrap();
        assert_eq!(state, json!({ "round": round - 1 }));
        // A second game changes everything.
        let pin = program.pin("1001").await;
        let other = crate::harness::connect(&program.url());
        let other = other.pair_with_pin(&pin).await.unwrap().game;
        other
            .channel_state()
            .set(&json!({ "round": round }))
            .await
            .unwrap();
        other
            .config()
            .set(&json!({ "round": round }))
            .await
            .unwrap();
        let viewer = program.viewer("1001", &format!("7{round}")).await;
        viewer
            .post("/v1/e/vote?id=boss", &json!({ "value": 1 }))
            .await;
        while next(&mut states).await.state != json!({ "round": round }) {}
        while next(&mut configs).await.config != json!({ "round": round }) {}
        while next(&mut news).await.count != round {}
        while next(&mut all).await.count != round {}
    }
    // The newest token is on the shelf, and works.
    game.close().await;
    connect.resume(shelf.newest()).await.unwrap();
}
