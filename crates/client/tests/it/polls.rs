//! Polls with the real program (`spec 2.6`).

use std::time::Duration;

use crowdlink_client::{Poll, PollConfig, PollStatus};
use serde_json::json;

use crate::harness::program::Program;
use crate::harness::{connect, next};

#[tokio::test]
async fn a_poll_is_created_voted_on_heard_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let program = Program::start(folder.path());
    let pin = program.pin("1001").await;
    let game = connect(&program.url())
        .pair_with_pin(&pin)
        .await
        .unwrap()
        .game;
    let polls = game.polls();
    let mut news = polls.subscribe("boss").await.unwrap();
    let mut all = polls.subscribe_all().await.unwrap();
    let poll = Poll::new("boss", "Who is next?", ["Dragon", "Kraken"]);
    let poll = poll
        .user_data(json!({ "round": 1 }))
        .ends_in(Duration::from_mins(10));
    assert_eq!(polls.create(&poll).await.unwrap().stale_votes, 0);
    let first = next(&mut news).await;
    assert_eq!(first.poll.status, PollStatus::Active);
    assert_eq!(first.poll.user_data, Some(json!({ "round": 1 })));
    assert_eq!((first.count, first.winner()), (0, None));
    assert_eq!(next(&mut all).await, first);

    for user in ["77", "78", "79"] {
        let viewer = program.viewer("1001", user).await;
        let value = u8::from(user != "79");
        viewer
            .post("/v1/e/vote?id=boss", &json!({ "value": value }))
            .await;
    }
    let counted = loop {
        let report = next(&mut news).await;
        if report.count == 3 {
            break report;
        }
    };
    assert_eq!(counted.results, [1, 2]);
    assert_eq!(counted.winner(), Some((1, "Kraken")));
    assert_eq!(polls.get("boss").await.unwrap(), counted);

    polls.end("boss").await.unwrap();
    while next(&mut news).await.poll.status != PollStatus::Expired {}
    let again = polls.create(&poll).await.unwrap();
    assert_eq!(again.stale_votes, 3);
    assert_eq!(polls.create(&poll.fresh()).await.unwrap().stale_votes, 0);
    let config = PollConfig::new().disabled(true);
    polls.reconfigure("boss", &config).await.unwrap();
    assert!(polls.get("boss").await.unwrap().poll.disabled);
    polls.delete("boss").await.unwrap();
    assert_eq!(polls.get("boss").await.unwrap_err().number(), Some(404));
}
