//! The end of a pairing, and what is none (`spec 1.4`, `spec 2.1`).

use crowdlink_client::{AuthenticationEvent, Error, Event, RefreshToken, Status};
use serde_json::{Value, json};

use crate::harness::program::Program;
use crate::harness::script::Script;
use crate::harness::{Shelf, connect, next, soon};

#[tokio::test]
async fn a_revoked_game_has_to_be_paired_again() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path());
    let pin = program.pin("1001").await;
    let shelf = Shelf::default();
    let connect_here = || connect(&program.url()).store_tokens(shelf.clone());
    let paired = connect_here().pair_with_pin(&pin).await.unwrap();
    let game = paired.game;
    let mut events = game.events().await.unwrap();
    let mut changes = game.channel_state().subscribe().await.unwrap();
    let page = program.page("broadcaster", "1001").await;
    let revoked = page
        .send("DELETE", "/v1/e/gamelink/token", &json!({}))
        .await;
    assert_eq!(revoked.0, 200, "{}", revoked.1);

    let event = next(&mut events).await.unwrap();
    assert_eq!(event, Event::Authentication(AuthenticationEvent::Revoked));
    let mut status = game.status();
    let last = soon("the end", status.wait_for(|status| status.is_final())).await;
    assert_eq!(*last.unwrap(), Status::PairingNeeded);
    assert!(soon("the end of changes", changes.next()).await.is_none());
    let error = game.channel_state().get::<Value>().await.unwrap_err();
    assert_eq!(error, Error::PairingNeeded);
    let error = connect_here().resume(shelf.newest()).await.unwrap_err();
    assert_eq!(error, Error::PairingNeeded);
}

#[tokio::test]
async fn whatever_code_a_connection_ends_with_the_game_comes_back() {
    let script = Script::listen().await;
    let pairing = tokio::spawn(connect(&script.url()).resume(RefreshToken::new("kept")));
    let (mut connection, _) = script.welcome("one").await;
    let paired = soon("pairing", pairing).await.unwrap().unwrap();
    for code in [1_000, 1_001, 1_008, 1_009, 1_011, 1_012, 1_013] {
        connection.close(code).await;
        (connection, _) = script.welcome("two").await;
    }
    assert_eq!(*paired.game.status().borrow(), Status::Connected);
}

#[tokio::test]
async fn a_fault_of_the_server_is_no_reason_to_pair_again() {
    let script = Script::listen().await;
    let pairing = tokio::spawn(connect(&script.url()).resume(RefreshToken::new("kept")));
    for number in [429, 500, 503] {
        let mut connection = script.accept().await;
        let request = connection.request().await;
        connection.refuse(&request, number).await;
    }
    let (connection, _) = script.welcome("one").await;
    let paired = soon("pairing", pairing).await.unwrap().unwrap();
    drop(connection);
    let mut connection = script.accept().await;
    let request = connection.request().await;
    connection.refuse(&request, 500).await;
    let mut connection = script.accept().await;
    let request = connection.request().await;
    connection.refuse(&request, 400).await;
    let mut status = paired.game.status();
    let last = soon("the end", status.wait_for(|status| status.is_final())).await;
    assert_eq!(*last.unwrap(), Status::PairingNeeded);
}
