//! Refresh tokens: stored before they are used (`spec 1.4`).

use crowdlink_client::{Error, Paired, RefreshToken};
use serde_json::{Value, json};

use crate::harness::script::Script;
use crate::harness::{Shelf, connect, soon};

async fn paired_with(
    script: &Script,
    shelf: &Shelf,
) -> (crate::harness::script::Connection, Paired) {
    let connect = connect(&script.url()).store_tokens(shelf.clone());
    let pairing = tokio::spawn(connect.pair_with_pin("ABCDEF"));
    let (connection, _) = script.welcome("one").await;
    let paired = soon("pairing", pairing).await.unwrap().unwrap();
    (connection, paired)
}

fn refresh(sent: &Value) -> &str {
    sent["refresh"].as_str().unwrap()
}

#[tokio::test]
async fn every_token_is_stored_before_it_is_used() {
    let script = Script::listen().await;
    let shelf = Shelf::default();
    let (mut connection, paired) = paired_with(&script, &shelf).await;
    for (used, next) in [("one", "two"), ("two", "three"), ("three", "four")] {
        assert_eq!(shelf.newest().expose(), used);
        drop(connection);
        let sent;
        (connection, sent) = script.welcome(next).await;
        assert_eq!(refresh(&sent), used);
    }
    assert_eq!(shelf.all().len(), 4);
    assert_eq!(paired.game.refresh_tokens().borrow().expose(), "four");
}

#[tokio::test]
async fn a_token_that_cannot_be_stored_is_never_used() {
    let script = Script::listen().await;
    let shelf = Shelf::default();
    let (connection, paired) = paired_with(&script, &shelf).await;
    assert_eq!(paired.store_error, None);
    shelf.set_broken(true);
    drop(connection);
    for lost in ["two", "three"] {
        let (connection, sent) = script.welcome(lost).await;
        assert_eq!(refresh(&sent), "one", "the last one that is on disk");
        drop(connection);
    }
    shelf.set_broken(false);
    let (connection, sent) = script.welcome("four").await;
    assert_eq!(refresh(&sent), "one");
    drop(connection);
    let (_connection, sent) = script.welcome("five").await;
    assert_eq!(refresh(&sent), "four");
}

#[tokio::test]
async fn without_a_store_the_token_that_the_game_has_is_used_for_ever() {
    let script = Script::listen().await;
    let connect = connect(&script.url());
    let pairing = tokio::spawn(connect.resume(RefreshToken::new("kept")));
    let (mut connection, _) = script.welcome("one").await;
    let paired = soon("pairing", pairing).await.unwrap().unwrap();
    assert_eq!(paired.refresh.expose(), "one");
    for next in ["two", "three"] {
        drop(connection);
        let sent;
        (connection, sent) = script.welcome(next).await;
        assert_eq!(refresh(&sent), "kept");
    }
}

#[tokio::test]
async fn a_store_that_fails_at_pairing_does_not_cost_the_pairing() {
    let script = Script::listen().await;
    let shelf = Shelf::default();
    shelf.set_broken(true);
    let (_connection, paired) = paired_with(&script, &shelf).await;
    let error = paired.store_error.unwrap();
    assert_eq!(error, Error::TokenStore("the disk is full".into()));
    assert_eq!(paired.refresh.expose(), "one");
}

#[tokio::test]
async fn a_store_that_panics_is_one_that_failed() {
    let script = Script::listen().await;
    let connect = connect(&script.url());
    let connect = connect.store_tokens(|_: &RefreshToken| panic!("a fault of the game"));
    let pairing = tokio::spawn(connect.pair_with_pin("ABCDEF"));
    let (_connection, _) = script.welcome("one").await;
    let paired = soon("pairing", pairing).await.unwrap().unwrap();
    assert!(matches!(paired.store_error, Some(Error::TokenStore(_))));
}

#[tokio::test]
async fn a_token_that_expires_soon_is_renewed_on_the_same_connection() {
    let script = Script::listen().await;
    let shelf = Shelf::default();
    let (mut connection, _paired) = paired_with(&script, &shelf).await;
    let expiring = json!({ "event": "expiring", "expires_at": 1 });
    connection.event("authentication", &expiring).await;
    let answer = json!({ "jwt": "k", "refresh": "two", "twitch_name": "b", "twitch_id": "42" });
    let sent = connection.expect("authenticate", "", &answer).await;
    assert_eq!(refresh(&sent), "one");
    drop(connection);
    let (_connection, sent) = script.welcome("three").await;
    assert_eq!(refresh(&sent), "two");
    let stored: Vec<_> = shelf.all();
    let stored: Vec<_> = stored.iter().map(RefreshToken::expose).collect();
    assert_eq!(stored, ["one", "two", "three"]);
}
