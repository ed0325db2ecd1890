//! Events of polls to games and to viewers, in their rhythm (`spec 2.6`, `spec 4.3`).

use std::sync::atomic::{AtomicUsize, Ordering};

use crowdlink_store::Faults;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::harness::Audience;

#[tokio::test]
async fn start_in_3_s_end_in_5_s_without_votes_is_two_events_with_count_0() {
    let mut audience = Audience::of(&["p"]).await;
    let config = json!({ "startsIn": 3, "endsIn": 5 });
    audience.create("p", config).await;
    let created = audience.told().await;
    assert_eq!(created.counts(), []);
    assert_eq!(created.names(), ["poll_update:p"]);
    assert_eq!(created.viewers[0].1["poll"]["status"], "pending");
    assert_eq!(audience.in_ms(2_999).await.counts(), []);
    let started = audience.in_ms(1).await;
    assert_eq!(started.counts(), [("active", 0)]);
    assert_eq!(started.names(), ["poll_update:p"]);
    let report = json!({
        "topic_id": "p",
        "poll": { "poll_id": "p", "prompt": "?", "options": ["A", "B"], "status": "active" },
        "results": [0, 0], "mean": 0.0, "sum": 0, "count": 0,
    });
    assert_eq!(started.game[0].to_string(), report.to_string());
    assert_eq!(started.viewers[0].1, started.game[0]);
    assert_eq!(audience.in_ms(1_999).await.counts(), []);
    let ended = audience.in_ms(1).await;
    assert_eq!(ended.counts(), [("expired", 0)]);
    assert_eq!(ended.names(), ["poll_update:p"]);
    let read = audience.asked("get", json!({ "poll_id": "p" })).await;
    assert_eq!(read, ended.game[0]);
    for _ in 0..10 {
        let told = audience.in_ms(60_000).await;
        assert!(told.game.is_empty() && told.viewers.is_empty(), "{told:?}");
    }
}

#[tokio::test]
async fn a_poll_with_neither_votes_nor_an_end_is_one_event() {
    let mut audience = Audience::of(&["p"]).await;
    audience.create("p", json!({})).await;
    assert_eq!(audience.told().await.counts(), [("active", 0)]);
    for ms in [1_000, 5_000, 300_000, 600_000] {
        let told = audience.in_ms(ms).await;
        assert!(told.game.is_empty() && told.viewers.is_empty(), "{told:?}");
    }
}

#[tokio::test]
async fn a_storm_of_votes_is_an_event_a_second_and_the_last_numbers_always() {
    let mut audience = Audience::of(&["p"]).await;
    audience.create("p", json!({ "endsIn": 60 })).await;
    assert_eq!(audience.told().await.counts(), [("active", 0)]);
    let mut voters = 0;
    for second in 1..=3 {
        // A hundred at once, in ten steps of time.
        for step in 0..10 {
            let votes = (0..10).map(|n| audience.vote(voters + n, "p", 1));
            futures::future::join_all(votes).await;
            voters += 10;
            let told = audience.in_ms(100).await;
            if step == 9 {
                assert_eq!(told.counts(), [("active", second * 100)]);
                assert_eq!(told.game[0]["results"], json!([0, second * 100]));
            } else {
                assert_eq!(told.counts(), [], "second {second}, step {step}");
            }
        }
    }
    // Quiet: no news, no events; then the first vote is told at once, the next a second later.
    assert_eq!(audience.in_ms(3_000).await.counts(), []);
    audience.vote(voters, "p", 1).await;
    assert_eq!(audience.told().await.counts(), [("active", 301)]);
    audience.vote(voters + 1, "p", 1).await;
    assert_eq!(audience.in_ms(999).await.counts(), []);
    assert_eq!(audience.in_ms(1).await.counts(), [("active", 302)]);
}

#[tokio::test]
async fn viewers_hear_the_first_vote_within_500_ms_then_every_5_s_and_the_last_always() {
    let mut audience = Audience::of(&[]).await;
    audience.create("p", json!({})).await;
    assert_eq!(audience.told().await.names(), ["poll_update:p"]);
    let mut at_ms = Vec::new();
    for step in 0..80 {
        if step <= 60 {
            audience.vote(step, "p", 1).await;
            assert_eq!(audience.told().await.names(), Vec::<&str>::new());
        }
        let told = audience.in_ms(250).await;
        for (name, data) in told.viewers {
            assert_eq!(name, "vote_update:p");
            let fields: Vec<_> = data.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["id", "stats"]);
            let stats: Vec<_> = data["stats"].as_object().unwrap().keys().collect();
            assert_eq!(stats, ["count", "sum", "mean", "stddev", "specific"]);
            assert_eq!(data["stats"]["specific"].as_array().unwrap().len(), 64);
            at_ms.push(((step + 1) * 250, data["stats"]["count"].as_u64().unwrap()));
        }
    }
    assert_eq!(at_ms, [(250, 1), (5_250, 21), (10_250, 41), (15_250, 61)]);
}

#[tokio::test]
async fn a_poll_ends_once_however_often_it_is_stopped_and_with_every_vote() {
    let mut audience = Audience::of(&["p"]).await;
    audience.create("p", json!({})).await;
    assert_eq!(audience.told().await.counts(), [("active", 0)]);
    assert_eq!(audience.in_ms(400).await.counts(), []);
    audience.vote(1, "p", 1).await;
    let stop = json!({ "poll_id": "p", "config": { "endsAt": -1 } });
    for _ in 0..3 {
        audience.asked("reconfigure", stop.clone()).await;
        // The event before is less than a second ago.
        assert_eq!(audience.told().await.counts(), []);
    }
    let late = audience.voter(2);
    let late = late.post("/v1/e/vote?id=p", &json!({ "value": 0 })).await;
    late.refused(400, "poll is closed");
    assert_eq!(audience.in_ms(599).await.counts(), []);
    assert_eq!(audience.in_ms(1).await.counts(), [("expired", 1)]);
    audience.asked("reconfigure", stop).await;
    let admin = audience.server.page("admin", "900").await;
    let stop = json!({ "id": "p", "config": { "endsAt": -1 } });
    admin.post("/v1/e/vote_config", &stop).await.ok();
    assert_eq!(audience.in_ms(10_000).await.counts(), []);
}

#[tokio::test]
async fn another_opening_is_told_at_once() {
    let mut audience = Audience::of(&["p"]).await;
    audience.create("p", json!({})).await;
    assert_eq!(audience.told().await.counts(), [("active", 0)]);
    audience.vote(1, "p", 0).await;
    assert_eq!(audience.told().await.counts(), []);
    // Created over: the votes are kept.
    assert_eq!(
        audience.create("p", json!({})).await,
        json!({ "ok": true, "stale_votes": 1 })
    );
    assert_eq!(audience.told().await.counts(), [("active", 1)]);
    audience.asked("delete", json!({ "poll_id": "p" })).await;
    let deleted = audience.told().await;
    assert_eq!(deleted.counts(), []);
    let gone = json!({ "topic_id": "p", "deleted": true });
    assert_eq!(deleted.viewers, [("poll_update:p".to_owned(), gone)]);
    audience.asked("delete", json!({ "poll_id": "p" })).await;
    assert!(audience.told().await.viewers.is_empty());
    // The subscription has stayed.
    assert_eq!(audience.create("p", json!({})).await, json!({ "ok": true }));
    assert_eq!(audience.told().await.counts(), [("active", 0)]);
    audience.server.advance_ms(1_000);
    let config = |config: Value| json!({ "poll_id": "p", "config": config });
    audience
        .asked("reconfigure", config(json!({ "endsAt": -1 })))
        .await;
    assert_eq!(audience.told().await.counts(), [("expired", 0)]);
    // Reopened: by an end in the future, and by none.
    audience
        .asked("reconfigure", config(json!({ "endsIn": 5 })))
        .await;
    assert_eq!(audience.told().await.counts(), [("active", 0)]);
    assert_eq!(audience.in_ms(5_000).await.counts(), [("expired", 0)]);
    audience
        .asked("reconfigure", config(json!({ "endsAt": 0 })))
        .await;
    assert_eq!(audience.told().await.counts(), [("active", 0)]);
}

#[tokio::test]
async fn a_new_configuration_is_told_to_viewers_and_not_to_games() {
    let mut audience = Audience::of(&["p"]).await;
    audience.create("p", json!({})).await;
    audience.told().await;
    audience.server.advance_ms(10_000);
    let disable = json!({ "poll_id": "p", "config": { "disabled": true } });
    for news in [1, 0] {
        audience.asked("reconfigure", disable.clone()).await;
        let told = audience.told().await;
        assert_eq!((told.game.len(), told.viewers.len()), (0, news));
        for (_, report) in told.viewers {
            assert_eq!(report["poll"]["disabled"], true);
            assert_eq!(report["poll"]["status"], "active");
        }
    }
    assert!(audience.in_ms(10_000).await.game.is_empty());
}

#[tokio::test]
async fn what_pages_do_is_told_like_what_games_do() {
    let mut audience = Audience::of(&["*"]).await;
    let page = audience.server.page("broadcaster", "900").await;
    let definition = json!({
        "id": "p",
        "config": { "prompt": "?", "options": ["A", "B"], "userData": { "k": 1 }, "endsIn": 10 },
    });
    page.post("/v1/e/vote_config", &definition).await.ok();
    let told = audience.told().await;
    assert_eq!(told.counts(), [("active", 0)]);
    assert_eq!(told.game[0]["poll"]["user_data"], json!({ "k": 1 }));
    assert_eq!(
        told.viewers,
        [("poll_update:p".to_owned(), told.game[0].clone())]
    );
    assert_eq!(audience.in_ms(10_000).await.counts(), [("expired", 0)]);
    page.delete("/v1/e/vote?id=p").await.ok();
    assert_eq!(audience.told().await.viewers[0].1["deleted"], true);
    // A first vote opens a poll that nobody defined.
    audience.vote(1, "p", 31).await;
    let told = audience.told().await;
    assert_eq!(told.counts(), [("active", 1)]);
    assert_eq!(told.game[0]["results"].as_array().unwrap().len(), 32);
    assert_eq!(told.game[0]["results"][31], 1);
    // A heavier voter is news too.
    let heavier = json!({ "user": "Uvoter-1", "add": 2 });
    let admin = audience.server.page("admin", "900").await;
    admin.post("/v1/e/vote_modifier?id=p", &heavier).await.ok();
    assert_eq!(audience.in_ms(1_000).await.counts(), [("active", 3)]);
}

#[tokio::test]
async fn an_end_in_a_storm_is_told_with_each_vote_that_was_answered_with_200() {
    for by_itself in [false, true] {
        let mut audience = Audience::of(&["p"]).await;
        audience.create("p", json!({ "endsIn": 5 })).await;
        audience.told().await;
        audience.server.advance_ms(4_000);
        // The store takes its time, so that votes are on their way when the end comes.
        audience.server.store.set_faults(Faults {
            delay_per_mille: 1_000,
            yields_max: 255,
            ..Faults::default()
        });
        let pages: Vec<_> = (0..400).map(|number| audience.voter(number)).collect();
        let counted = AtomicUsize::new(0);
        let votes = futures::stream::iter(&pages).for_each_concurrent(20, |page| async {
            let answer = page.post("/v1/e/vote?id=p", &json!({ "value": 1 })).await;
            if answer.status == 200 {
                counted.fetch_add(1, Ordering::Relaxed);
            } else {
                answer.refused(400, "poll is closed");
            }
        });
        let (host, server) = (&mut audience.host, &audience.server);
        let ending = async {
            while counted.load(Ordering::Relaxed) < 100 {
                tokio::task::yield_now().await;
            }
            let begun = server.store.commits();
            while server.store.commits() == begun {
                tokio::task::yield_now().await;
            }
            // A commit is under way; what reads the end would overtake it, if it did not wait.
            server.store.set_faults(Faults::default());
            if by_itself {
                server.advance_ms(1_000);
            } else {
                let stop = json!({ "poll_id": "p", "config": { "endsAt": -1 } });
                host.call("reconfigure", "poll", stop).await;
            }
        };
        tokio::join!(votes, ending);
        let counted = counted.into_inner();
        assert!((100..400).contains(&counted), "{counted}");
        let mut told = audience.told().await.game;
        told.extend(audience.in_ms(1_000).await.game);
        let ends = told.iter().filter(|e| e["poll"]["status"] == "expired");
        let counts: Vec<_> = ends.map(|event| event["count"].clone()).collect();
        assert_eq!(counts, [json!(counted)], "by itself: {by_itself}");
    }
}
