//! The end as games see it (`spec 5`, shutdown; `spec 2.1`, close codes).

use crowdlink_server::listen::EdgeName;
use crowdlink_server::shutdown::Outcome;
use crowdlink_store::Faults;
use serde_json::json;
use tokio::net::TcpStream;

use crate::harness::{Server, eventually};

#[tokio::test]
async fn every_game_is_closed_1001_and_the_drain_ends() {
    let server = Server::start().await;
    let mut games = vec![server.game().await];
    for _ in 0..3 {
        games.push(server.paired_game("42").await.0);
    }
    let leaving: Vec<_> = games
        .into_iter()
        .map(|game| tokio::spawn(game.leave()))
        .collect();
    server.app.shutdown.drain();
    // They are closed one after the other, so that they do not all come back in one instant.
    for left in (0..4).rev() {
        eventually("the next one is closed", || async {
            server.app.live.sessions() == left
        })
        .await;
        server.advance_ms(250);
    }
    for game in leaving {
        assert_eq!(game.await.unwrap(), Some(1001));
    }
    assert_eq!(server.shut_down().await, Outcome::Drained);
}

#[tokio::test]
async fn nobody_new_is_taken_during_the_drain() {
    let server = Server::start().await;
    let (game, _) = server.paired_game("42").await;
    let address = server.address(EdgeName::SandboxGamelink);
    server.app.shutdown.drain();
    eventually("the address is closed", || async {
        TcpStream::connect(address).await.is_err()
    })
    .await;
    assert_eq!(game.leave().await, Some(1001));
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_close() {
    let server = Server::start().await;
    let (other, paired) = server.paired_game("42").await;
    other.close().await;
    let mut game = server.game().await;
    // The store takes its time, so that the drain begins while the refresh is under way.
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 255,
        ..Faults::default()
    });
    let reads = server.store.reads();
    game.send("authenticate", "", json!({ "refresh": paired["refresh"] }))
        .await;
    while server.store.reads() == reads {
        tokio::task::yield_now().await;
    }
    server.app.shutdown.drain();
    assert_eq!(game.frame().await["data"]["twitch_id"], "42");
    assert_eq!(game.leave().await, Some(1001));
}

#[tokio::test]
async fn a_game_that_does_not_answer_the_close_does_not_hold_the_end_up() {
    let server = Server::start().await;
    let (_game, _) = server.paired_game("42").await;
    let clock = server.clock.clone();
    let ending = tokio::spawn(server.shut_down());
    eventually("the drain is over", || async {
        clock.advance_ms(1_000);
        ending.is_finished()
    })
    .await;
}
