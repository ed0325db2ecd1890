//! Matches and their polls, as recorded (`spec 2.10`).

use crowdlink_client::{Game, PollStatus};
use serde_json::json;

use super::{Rig, golden, poll};
use crate::harness::next;

#[tokio::test]
async fn matches_are_asked_for_as_recorded() {
    let mut rig = Rig::start().await;
    let create = |game: Game| async move { game.match_of("finals").create().await };
    rig.exchange(("match_create", "match_create.answer"), create)
        .await
        .unwrap();
    let keep = |game: Game| async move { game.match_of("finals").keepalive().await };
    rig.exchange(("match_keepalive", "match_keepalive.answer"), keep)
        .await
        .unwrap();
    for (refusal, number) in [("match_unknown.error", 404), ("match_foreign.error", 403)] {
        let refused = rig.exchange(("match_keepalive", refusal), keep).await;
        assert_eq!(refused.unwrap_err().number(), Some(number));
    }
    let add = |game: Game| async move { game.match_of("finals").add_channels(&["42", "43"]).await };
    rig.exchange(("match_add_channels", "match_add_channels.answer"), add)
        .await
        .unwrap();
    let names = ("match_remove_channels", "match_remove_channels.answer");
    let remove = |game: Game| async move { game.match_of("finals").remove_channels(&["43"]).await };
    rig.exchange(names, remove).await.unwrap();
    let song = |game: Game| async move {
        let data = json!({ "artist": "Celine Dion", "year": 1997 });
        game.match_of("finals").broadcast("new_song", &data).await
    };
    rig.exchange(("match_broadcast", "match_broadcast.answer"), song)
        .await
        .unwrap();
}

#[tokio::test]
async fn polls_of_a_match_are_asked_for_and_read_as_recorded() {
    let mut rig = Rig::start().await;
    let hear = |game: Game| async move { game.match_of("finals").subscribe_polls().await };
    let names = ("match_poll_subscribe", "match_poll_subscribe.answer");
    let mut news = rig.exchange(names, hear).await.unwrap();
    let create = |game: Game| async move { game.match_of("finals").create_poll(&poll()).await };
    rig.exchange(("match_poll_create", "match_poll_create.answer"), create)
        .await
        .unwrap();
    let id = "favorite-color";
    let end = |game: Game| async move { game.match_of("finals").end_poll(id).await };
    let names = ("match_poll_reconfigure", "match_poll_reconfigure.answer");
    rig.exchange(names, end).await.unwrap();
    for (event, status) in [
        ("match_poll_active.event", PollStatus::Active),
        ("match_poll_expired.event", PollStatus::Expired),
    ] {
        rig.connection.send(&golden(event).to_string()).await;
        let report = next(&mut news).await;
        assert_eq!((&*report.match_id, &*report.poll_id), ("finals", id));
        let (overall, channels) = (&report.overall, &report.results);
        assert_eq!((overall.status, overall.count), (status, 4));
        assert_eq!((overall.mean, overall.stddev), (0.25, 0.5));
        assert_eq!(channels["42"], *overall);
        assert_eq!((channels["43"].status, channels["43"].count), (status, 0));
        assert_eq!(overall.results[..3], [3, 1, 0]);
    }
    let delete = |game: Game| async move { game.match_of("finals").delete_poll(id).await };
    rig.exchange(("match_poll_delete", "match_poll_delete.answer"), delete)
        .await
        .unwrap();
    rig.left("match_poll_unsubscribe", news).await;
}
