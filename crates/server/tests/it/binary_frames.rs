//! A binary frame whose content is JSON is as good as text (`spec 2.1`).

use serde_json::json;

use crate::harness::Server;

#[tokio::test]
async fn a_game_that_speaks_in_binary_frames_pairs_alike() {
    let server = Server::start().await;
    let pin = server.page("broadcaster", "42").await.pin().await;
    let mut game = server.game().await;
    let request = json!({ "action": "authenticate", "data": { "pin": pin } });
    game.send_binary(request.to_string().as_bytes()).await;
    assert_eq!(game.frame().await["data"]["twitch_id"], "42");
}
