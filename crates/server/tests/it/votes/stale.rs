//! Stale votes: what counts for the poll before, and what for the one after (`spec 3.6`).

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::future::join_all;
use parking_lot::Mutex;
use serde_json::json;

use super::{
    broadcaster, config_path, configure, counted, log, report, server, viewer, vote, vote_path,
};
use crate::harness::{Game, Server, eventually};

const VOTERS: usize = 100;
/// Votes that are waited for, before the poll is deleted and after it was created.
const VOTES_EACH_SIDE: usize = 150;

#[tokio::test]
async fn votes_that_came_before_the_definition_count() {
    let server = server().await;
    vote(&viewer(&server, "1"), "p", 3).await.ok();
    let (mut game, _) = server.paired_game("42").await;
    let create = json!({ "poll_id": "p", "prompt": "?", "options": ["a", "b"] });
    let told = game.call("create", "poll", create.clone()).await;
    assert_eq!(told["data"], json!({ "ok": true, "stale_votes": 1 }));
    vote(&viewer(&server, "2"), "p", 3).await.ok();
    let told = game.call("create", "poll", create).await;
    assert_eq!(told["data"]["stale_votes"], 2, "over a definition too");
    assert_eq!(report(&viewer(&server, "2"), "p").await["vote"], 3);
    configure(&broadcaster(&server), "p", json!({ "prompt": "Again?" }))
        .await
        .ok();
    assert_eq!(report(&viewer(&server, "2"), "p").await["count"], 2);
}

#[tokio::test]
async fn a_fresh_poll_has_none_and_says_nothing_of_them() {
    let server = server().await;
    for user in ["1", "2", "3"] {
        vote(&viewer(&server, user), "p", 3).await.ok();
    }
    super::weigh(&broadcaster(&server), "p", "1", 5).await.ok();
    let (mut game, _) = server.paired_game("42").await;
    let create = json!({ "poll_id": "p", "prompt": "?", "options": [], "fresh": true });
    let told = game.call("create", "poll", create.clone()).await;
    assert_eq!(told["data"], json!({ "ok": true }));
    let told = report(&viewer(&server, "1"), "p").await;
    assert_eq!((counted(&told).0, told.get("vote")), (0, None));
    assert_eq!(log(&server, "p").await.len(), 0);
    // The weight went with the votes.
    assert_eq!(vote(&viewer(&server, "1"), "p", 1).await.ok()["count"], 1);
    game.call("create", "poll", create).await;
    assert_eq!(report(&viewer(&server, "1"), "p").await["count"], 0);
}

#[tokio::test]
async fn a_poll_over_another_keeps_its_votes_and_nothing_of_its_config() {
    let server = server().await;
    let all = json!({ "prompt": "?", "options": ["a"], "disabled": true, "votesPerOption": 9 });
    configure(&broadcaster(&server), "p", all).await.ok();
    let (mut game, _) = server.paired_game("42").await;
    let create = json!({ "poll_id": "p", "prompt": "new", "options": ["b", "c"] });
    game.call("create", "poll", create).await;
    let config = viewer(&server, "1").get(&config_path("p")).await.ok();
    assert_eq!(config["options"], json!(["b", "c"]));
    assert_eq!(
        (&config["disabled"], &config["votesPerOption"]),
        (&json!(false), &json!(1))
    );
}

#[tokio::test]
async fn what_was_deleted_is_gone_with_everything() {
    let server = server().await;
    let owner = broadcaster(&server);
    configure(
        &owner,
        "p",
        json!({ "prompt": "?", "totalVotesPerUser": 5 }),
    )
    .await
    .ok();
    vote(&viewer(&server, "1"), "p", 3).await.ok();
    super::weigh(&owner, "p", "1", 5).await.ok();
    owner.delete(&vote_path("p")).await.ok();
    owner
        .get(&config_path("p"))
        .await
        .refused(404, "There is no such poll");
    assert_eq!(log(&server, "p").await.len(), 0);
    let told = report(&viewer(&server, "1"), "p").await;
    assert_eq!((counted(&told).0, told.get("vote")), (0, None));
    let told = vote(&viewer(&server, "1"), "p", 4).await.ok();
    assert_eq!(counted(&told), (1, 4, vec![(4, 1)]));
    let config = owner.get(&config_path("p")).await.ok();
    assert_eq!(
        (&config["prompt"], &config["totalVotesPerUser"]),
        (&json!(""), &json!(1))
    );
}

/// One vote of a voter of its own, and when it was sent and answered.
struct Cast {
    voter: String,
    sent: u64,
    answered: u64,
}

/// The order of things as the clients see it.
#[derive(Default)]
struct Ledger {
    now: AtomicU64,
    casts: Mutex<Vec<Cast>>,
    ended: AtomicBool,
}

impl Ledger {
    fn tick(&self) -> u64 {
        self.now.fetch_add(1, Ordering::SeqCst)
    }

    async fn votes_more(&self, more: usize) {
        let before = self.casts.lock().len();
        let came = async || self.casts.lock().len() >= before + more;
        eventually("votes", came).await;
    }

    async fn storm(&self, server: &Server, index: usize) {
        for number in 0.. {
            if self.ended.load(Ordering::SeqCst) {
                return;
            }
            let voter = format!("{index}-{number}");
            let page = viewer(server, &voter);
            let sent = self.tick();
            vote(&page, "p", i64::try_from(index).unwrap()).await.ok();
            let answered = self.tick();
            self.casts.lock().push(Cast {
                voter,
                sent,
                answered,
            });
        }
    }

    /// Deletes and creates in the storm; when that was begun, when all before it was gone, and
    /// when it was over.
    async fn clean(&self, server: &Server, way: Way, game: &mut Game) -> (u64, u64) {
        self.votes_more(VOTES_EACH_SIDE).await;
        let create =
            |fresh| json!({ "poll_id": "p", "prompt": "?", "options": [], "fresh": fresh });
        let begun = self.tick();
        let gone = match way {
            Way::Rest => {
                let owner = broadcaster(server);
                owner.delete(&vote_path("p")).await.ok();
                let gone = self.tick();
                configure(&owner, "p", json!({ "prompt": "?" })).await.ok();
                gone
            }
            Way::Game => {
                let told = game.call("delete", "poll", json!({ "poll_id": "p" })).await;
                assert_eq!(told["data"]["ok"], true);
                let gone = self.tick();
                let told = game.call("create", "poll", create(false)).await;
                assert_eq!(told["data"]["ok"], true);
                gone
            }
            Way::Fresh => {
                let told = game.call("create", "poll", create(true)).await;
                assert_eq!(told["data"], json!({ "ok": true }));
                self.tick()
            }
        };
        self.votes_more(VOTES_EACH_SIDE).await;
        self.ended.store(true, Ordering::SeqCst);
        (begun, gone)
    }
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Rest,
    Game,
    Fresh,
}

async fn a_hundred_voters_race(way: Way) {
    let server = server().await;
    let (mut game, _) = server.paired_game("42").await;
    let ledger = Ledger::default();
    let storm = join_all((0..VOTERS).map(|index| ledger.storm(&server, index)));
    let (_, (begun, gone)) = tokio::join!(storm, ledger.clean(&server, way, &mut game));
    let casts = ledger.casts.into_inner();
    let rows = log(&server, "p").await;
    let there: HashSet<&str> = rows
        .iter()
        .map(|row| row["identifier"].as_str().unwrap())
        .collect();
    assert_eq!(there.len(), rows.len(), "a voter twice");
    let (mut before, mut after) = (0, 0);
    for cast in &casts {
        let counts = there.contains(&*cast.voter);
        if cast.answered < begun {
            before += 1;
            assert!(!counts, "{way:?}: {} was there before", cast.voter);
        }
        if cast.sent > gone {
            after += 1;
            assert!(counts, "{way:?}: {} is missing", cast.voter);
        }
    }
    assert!(before >= VOTES_EACH_SIDE && after > 0, "{before} {after}");
    let told = report(&viewer(&server, "nobody"), "p").await;
    let (count, sum, counters) = counted(&told);
    assert_eq!(usize::try_from(count).unwrap(), rows.len());
    let below_64: i64 = counters.iter().map(|(_, count)| count).sum();
    assert!(below_64 <= count);
    let logged: i64 = rows.iter().map(|row| row["value"].as_i64().unwrap()).sum();
    assert_eq!(sum, logged);
}

#[tokio::test]
async fn a_hundred_voters_race_with_delete_and_create_of_a_page() {
    a_hundred_voters_race(Way::Rest).await;
}

#[tokio::test]
async fn a_hundred_voters_race_with_delete_and_create_of_a_game() {
    a_hundred_voters_race(Way::Game).await;
}

#[tokio::test]
async fn a_hundred_voters_race_with_a_fresh_poll() {
    a_hundred_voters_race(Way::Fresh).await;
}
