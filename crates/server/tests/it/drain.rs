//! The end of a server: what is open is told to come back (`spec 2.1`, `spec 5`, shutdown).

use crowdlink_server::shutdown::Outcome;

use crate::harness::{Incoming, Server};

#[tokio::test]
async fn games_are_told_to_reconnect_and_the_drain_ends_by_itself() {
    let server = Server::start().await;
    let mut waiting = server.game().await;
    let (mut paired, _) = server.paired_game("42").await;
    // Not all clients are to come back in one instant, so the closing takes a while.
    let clock = server.clock.clone();
    let time = tokio::spawn(async move {
        loop {
            clock.advance_ms(1);
            tokio::task::yield_now().await;
        }
    });
    let ended = tokio::spawn(server.shut_down());
    for game in [&mut waiting, &mut paired] {
        assert_eq!(game.next().await, Incoming::Closed(Some(1001)));
    }
    drop((waiting, paired));
    assert_eq!(ended.await.unwrap(), Outcome::Drained);
    time.abort();
}
