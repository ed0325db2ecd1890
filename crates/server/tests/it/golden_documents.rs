//! State and configuration as the golden frames tell (`spec 2.4`, `spec 2.5`).

use crate::golden_frames::{assert_next_is, golden};
use crate::harness::{Game, Server};

/// Sends a golden request and asserts its golden answer.
async fn asked(game: &mut Game, name: &str) {
    game.send_text(&golden(&format!("{name}.request"))).await;
    assert_next_is(game, &format!("{name}.answer")).await;
}

#[tokio::test]
async fn documents_are_written_read_and_heard_as_the_frames_tell() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let (mut listener, _) = server.paired_game("42").await;
    for (kind, reads) in [
        ("state", &["state_get"][..]),
        ("config", &["config_get", "config_combined"]),
    ] {
        asked(&mut listener, &format!("{kind}_subscribe")).await;
        asked(&mut game, &format!("{kind}_set")).await;
        assert_next_is(&mut listener, &format!("{kind}.event")).await;
        asked(&mut listener, &format!("{kind}_unsubscribe")).await;
        asked(&mut game, &format!("{kind}_patch")).await;
        for name in reads {
            asked(&mut game, name).await;
        }
    }
    listener.heartbeat().await;
}
