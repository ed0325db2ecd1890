//! Pairing with the real program (`spec 1.3`, `spec 2.3`).

use crowdlink_client::{Error, RefreshToken, Server, Status};
use serde_json::Value;

use crate::harness::program::Program;
use crate::harness::script::{SERVER_MS, Script};
use crate::harness::{connect, soon};

#[tokio::test]
async fn a_game_pairs_by_a_pin_and_comes_back_without_one() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path());
    let pin = program.pin("1001").await;
    let typed = format!("  {pin}\n");
    let paired = connect(&program.url()).pair_with_pin(&typed).await.unwrap();
    assert_eq!(paired.channel, "1001");
    assert_eq!(paired.name, "1001", "nobody knows the name");
    paired.game.close().await;
    assert_eq!(*paired.game.status().borrow(), Status::Closed);

    let again = connect(&program.url())
        .resume(paired.refresh)
        .await
        .unwrap();
    assert_eq!(again.channel, "1001");
    let _: Value = again.game.channel_state().get().await.unwrap();
}

#[tokio::test]
async fn a_wrong_pin_is_refused_with_the_words_of_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path());
    let error = connect(&program.url())
        .pair_with_pin("AAAAAA")
        .await
        .unwrap_err();
    let Error::Refused { number, detail, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (number, &*detail),
        (400, "The provided PIN is invalid or expired")
    );
}

#[tokio::test]
async fn a_dead_token_needs_a_new_pairing() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path());
    let token = RefreshToken::new("never issued");
    let error = connect(&program.url()).resume(token).await.unwrap_err();
    assert_eq!(error, Error::PairingNeeded);
}

#[tokio::test]
async fn where_no_server_is_the_game_is_told_so_in_time() {
    let script = Script::listen().await;
    let url = script.url();
    drop(script);
    let connect = connect(&url).connect_within(std::time::Duration::from_millis(100));
    let error = connect.pair_with_pin("AAAAAA").await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    let error = crowdlink_client::Game::connect(Server::at("nonsense"), "x").pair_with_pin("A");
    assert!(matches!(error.await.unwrap_err(), Error::Address(_)));
}

#[tokio::test]
async fn a_pin_is_sent_once_even_if_its_answer_is_lost() {
    let script = Script::listen().await;
    let pairing = tokio::spawn(connect(&script.url()).pair_with_pin("ABCDEF"));
    let mut connection = script.accept().await;
    assert_eq!(connection.request().await["data"]["pin"], "ABCDEF");
    drop(connection);
    let error = soon("the end of pairing", pairing)
        .await
        .unwrap()
        .unwrap_err();
    assert_eq!(error, Error::Interrupted);
}

#[tokio::test]
async fn a_server_that_is_not_ready_is_tried_again() {
    let script = Script::listen().await;
    let pairing = tokio::spawn(connect(&script.url()).pair_with_pin("ABCDEF"));
    for _ in 0..3 {
        script.turn_away().await;
    }
    let (_connection, sent) = script.welcome("one").await;
    assert_eq!(sent["client_id"], crate::harness::EXTENSION);
    assert_eq!(sent["game_id"], "My Game");
    let paired = soon("pairing", pairing).await.unwrap().unwrap();
    assert_eq!((&*paired.name, &*paired.channel), ("bobross", "42"));
}

#[derive(Debug)]
struct Fixed(i64);

impl crowdlink_client::Clock for Fixed {
    fn now_ms(&self) -> i64 {
        self.0
    }
}

#[tokio::test]
async fn the_clocks_are_compared_by_the_answers() {
    let script = Script::listen().await;
    let clock = Fixed(SERVER_MS - 5_000);
    let pairing = tokio::spawn(connect(&script.url()).clock(clock).pair_with_pin("ABCDEF"));
    let (_connection, _) = script.welcome("one").await;
    let paired = soon("pairing", pairing).await.unwrap().unwrap();
    assert_eq!(paired.game.time_offset_ms(), 5_000);
}

#[tokio::test]
async fn when_the_last_handle_is_gone_the_connection_ends() {
    let script = Script::listen().await;
    let pairing = tokio::spawn(connect(&script.url()).pair_with_pin("ABCDEF"));
    let (mut connection, _) = script.welcome("one").await;
    let paired = soon("pairing", pairing).await.unwrap().unwrap();
    let twin = paired.game.clone();
    let mut events = paired.game.events().await.unwrap();
    drop(paired);
    let asking = tokio::spawn(async move {
        let polls = twin.polls();
        polls.delete("a").await
    });
    connection
        .expect("delete", "poll", &serde_json::json!({ "ok": true }))
        .await;
    soon("the answer", asking).await.unwrap().unwrap();
    assert_eq!(connection.closed().await, Some(1_000));
    assert!(soon("the end of events", events.next()).await.is_none());
}

#[cfg(feature = "tls")]
#[tokio::test]
async fn a_server_that_speaks_no_tls_is_an_error_and_no_panic() {
    let script = Script::listen().await;
    let url = script.url().replace("ws://", "wss://");
    let connect = connect(&url).connect_within(std::time::Duration::from_millis(300));
    let pairing = soon("the end of pairing", connect.pair_with_pin("ABCDEF"));
    let error = script.turn_away_during(pairing).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
}
