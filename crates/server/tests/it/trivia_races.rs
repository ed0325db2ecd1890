//! Trivia: many voters, several nodes, a store that fails (DESIGN 3).

use std::sync::Arc;

use crowdlink_core::{Caller, Core, tokens, trivia};
use crowdlink_protocol::Stage;
use crowdlink_store::{Faults, Store};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{
    EXTENSION, Http, SECRET, Server, Viewer, claims, core_beside, eventually, sign,
};
use crate::trivia::{board, declare, put, question, state, viewer, vote};

/// Every step of the store takes a few turns of others.
const SLOW: Faults = Faults {
    delay_per_mille: 1_000,
    yields_max: 20,
    refuse_per_mille: 0,
    unknown_per_mille: 0,
};

async fn contest(server: &Server) -> Http {
    let admin = server.trusted("admin");
    put(&admin, "q", &["x", "y"]).await;
    state(&admin, "q", "state-unlocked").await.ok();
    admin
}

/// So many viewers, in two channels by turns.
fn viewers(server: &Server, count: usize) -> Vec<Http> {
    let channel = |n: usize| if n.is_multiple_of(2) { "42" } else { "43" };
    let viewer = |n: usize| viewer(server, channel(n), &format!("u{n}"));
    (0..count).map(viewer).collect()
}

async fn caller(core: &Core, channel: &str, user: &str) -> Arc<Caller> {
    let mut claims = claims("viewer", channel);
    claims["allowed_stage"] = json!("sandbox");
    claims["user_id"] = json!(user);
    let header = format!("{EXTENSION} {}", sign(&claims, SECRET));
    tokens::authorize(core, Stage::Sandbox, Some(&header))
        .await
        .unwrap()
}

fn count(results: &Value, option: &str) -> u64 {
    results["votes"][option].as_u64().unwrap()
}

/// Participants and members of both teams, from the leaderboard.
async fn participants(admin: &Http) -> u64 {
    let board = board(admin).await;
    let teams = board["leaderboard"].as_array().unwrap();
    let score = |team: &Value| team["questions"]["q"].clone();
    for team in teams {
        assert_eq!(score(team)["team_participation"], 1, "{team}");
    }
    let voted = |team: &Value| score(team)["team_participants"].as_u64().unwrap();
    teams.iter().map(voted).sum()
}

#[tokio::test]
async fn four_hundred_vote_at_once_in_a_few_commits_and_each_counts_once() {
    let server = Server::start().await;
    let admin = contest(&server).await;
    let viewers = viewers(&server, 400);
    server.store.set_faults(SLOW);
    let commits = server.store.commits();
    let votes = viewers.iter().enumerate();
    let votes = votes.map(|(n, page)| vote(page, "q", if n % 4 == 0 { "x" } else { "y" }));
    for answer in join_all(votes).await {
        assert_eq!(answer.ok(), json!({}));
    }
    let commits = server.store.commits() - commits;
    assert!(commits <= 100, "{commits} commits");
    declare(&admin, "q", "x").await.ok();
    let results = question(&viewers[3], "q").await["results"].clone();
    let expected = json!({ "you": "y", "winner": "x", "votes": { "x": 100, "y": 300 } });
    assert_eq!(results, expected);
    // Those who are right are all in team 42, half of it.
    let board = board(&admin).await;
    let teams = board["leaderboard"].as_array().unwrap().iter();
    let scores: Vec<_> = teams
        .map(|team| (&team["team_id"], &team["combined_score"]))
        .collect();
    assert_eq!(
        scores,
        [(&json!("42"), &json!(50_000)), (&json!("43"), &json!(0))]
    );
}

#[tokio::test]
async fn votes_that_race_with_the_lock_count_if_and_only_if_they_were_answered_well() {
    let server = Server::start().await;
    let admin = contest(&server).await;
    let viewers = viewers(&server, 150);
    let mut refused = 0;
    for option in ["x", "y"] {
        server.store.set_faults(SLOW);
        let lock = async {
            // As soon as the first are counted.
            eventually("a vote is counted", || async {
                question(&viewers[0], "q").await["results"] == json!({ "you": option })
            })
            .await;
            declare(&admin, "q", option).await.ok();
            let counted = question(&viewers[0], "q").await["results"].clone();
            // What comes after the answer is refused.
            let late = vote(&viewers[0], "q", "x").await;
            late.refused(400, "question is not open for votes");
            counted
        };
        // A few at once, again and again: all of them would be one commit.
        let votes = async {
            let mut answers = Vec::new();
            for few in viewers.chunks(5) {
                answers.extend(join_all(few.iter().map(|page| vote(page, "q", option))).await);
            }
            answers
        };
        let (answers, counted) = tokio::join!(votes, lock);
        server.store.set_faults(Faults::default());
        for (page, answer) in viewers.iter().zip(answers) {
            let you = question(page, "q").await["results"]["you"].clone();
            if answer.status == 200 {
                assert_eq!(you, option);
            } else {
                answer.refused(400, "question is not open for votes");
                refused += 1;
                assert_ne!(you, option);
            }
        }
        let now = question(&viewers[0], "q").await["results"].clone();
        assert_eq!(now, counted);
        let mut with = [0, 0];
        for page in &viewers {
            match question(page, "q").await["results"]["you"].as_str() {
                Some("x") => with[0] += 1,
                Some(_) => with[1] += 1,
                None => {}
            }
        }
        assert_eq!([count(&now, "x"), count(&now, "y")], with);
        assert_eq!(participants(&admin).await, with[0] + with[1]);
        state(&admin, "q", "state-unlocked").await.ok();
    }
    assert!(refused > 0, "nobody was too late: this test shows nothing");
}

#[tokio::test]
async fn two_nodes_count_together_also_one_voter_at_both() {
    let server = Server::start().await;
    let admin = contest(&server).await;
    let other = core_beside(&server).await;
    let pages = viewers(&server, 60);
    let mut callers = Vec::new();
    for n in 30..90 {
        let channel = if n % 2 == 0 { "42" } else { "43" };
        callers.push(caller(&other, channel, &format!("u{n}")).await);
    }
    server.store.set_faults(SLOW);
    let here = join_all(pages.iter().map(|page| vote(page, "q", "x")));
    let there = callers
        .iter()
        .map(|caller| trivia::vote(&other, caller, None, "q", "y"));
    let (here, there) = tokio::join!(here, join_all(there));
    assert!(here.iter().all(|answer| answer.status == 200));
    assert!(there.iter().all(Result::is_ok), "{there:?}");
    server.store.set_faults(Faults::default());
    // The other node ends the voting; it is over here from its answer on.
    let claims = json!({
        "exp": 4_000_000_000_i64, "role": "admin", "user_id": "server", "allowed_stage": "sandbox",
    });
    let header = format!("{EXTENSION} {}", sign(&claims, SECRET));
    let admin_there = tokens::authorize(&other, Stage::Sandbox, Some(&header));
    let admin_there = admin_there.await.unwrap();
    let locked = crowdlink_protocol::QuestionState::Locked;
    trivia::transition(&other, &admin_there, "q", locked, None)
        .await
        .unwrap();
    let late = vote(&pages[0], "q", "y").await;
    late.refused(400, "question is not open for votes");
    declare(&admin, "q", "x").await.ok();
    let results = question(&pages[0], "q").await["results"].clone();
    let (x, y) = (count(&results, "x"), count(&results, "y"));
    // Those who voted at both count once, for either.
    assert_eq!(x + y, 90);
    assert!((30..=60).contains(&x), "{x}");
    assert_eq!(participants(&admin).await, 90);
}

#[tokio::test]
async fn whatever_the_store_does_each_vote_answered_well_counts_and_none_counts_twice() {
    let server = Server::start().await;
    let admin = contest(&server).await;
    let viewers = viewers(&server, 60);
    server.store.set_faults(Faults {
        refuse_per_mille: 150,
        unknown_per_mille: 150,
        delay_per_mille: 500,
        yields_max: 8,
    });
    let (mut good, mut bad) = (0, 0);
    let mut last_good = vec![None; viewers.len()];
    for option in ["x", "y", "x"] {
        for some in [0..20, 20..40, 40..60] {
            let votes = some.clone().map(|n| vote(&viewers[n], "q", option));
            for (n, answer) in some.clone().zip(join_all(votes).await) {
                if answer.status == 200 {
                    good += 1;
                    last_good[n] = Some(option);
                } else {
                    assert_eq!(answer.status, 500);
                    bad += 1;
                    last_good[n] = None;
                }
            }
        }
    }
    server.store.set_faults(Faults::default());
    assert!(good > 20 && bad > 20, "{good} {bad}");
    declare(&admin, "q", "x").await.ok();
    let results = question(&viewers[0], "q").await["results"].clone();
    let mut with = [0, 0];
    for (page, last_good) in viewers.iter().zip(last_good) {
        let you = question(page, "q").await["results"]["you"].clone();
        assert!(last_good.is_none_or(|option| you == option), "{you}");
        match you.as_str() {
            Some("x") => with[0] += 1,
            Some(_) => with[1] += 1,
            None => {}
        }
    }
    assert_eq!([count(&results, "x"), count(&results, "y")], with);
    assert_eq!(participants(&admin).await, with[0] + with[1]);
}

#[tokio::test]
async fn a_change_of_unknown_outcome_is_told_to_viewers() {
    let server = Server::start().await;
    let admin = contest(&server).await;
    let mut all = Viewer::of(&server, None).await;
    server.store.set_faults(Faults {
        unknown_per_mille: 1_000,
        ..Faults::default()
    });
    assert_eq!(state(&admin, "q", "state-locked").await.status, 500);
    server.store.set_faults(Faults::default());
    let told = json!({ "id": "q", "state": "state-locked" });
    assert_eq!(all.event().await, ("trivia_update".to_owned(), told));
    // Asked again, there is nothing left to do.
    state(&admin, "q", "state-locked").await.ok();
}

#[tokio::test]
async fn while_the_store_is_down_nothing_is_half_done() {
    let server = Server::start().await;
    let admin = contest(&server).await;
    let page = viewer(&server, "42", "1");
    server.store.set_down(true);
    assert_eq!(vote(&page, "q", "x").await.status, 500);
    assert_eq!(declare(&admin, "q", "x").await.status, 500);
    server.store.set_down(false);
    let read = question(&page, "q").await;
    assert_eq!(
        (&read["state"], &read["results"]),
        (&json!("state-unlocked"), &json!({}))
    );
    vote(&page, "q", "x").await.ok();
}

#[tokio::test]
async fn votes_of_a_question_that_was_deleted_are_removed_in_time() {
    let server = Server::start().await;
    let admin = contest(&server).await;
    let viewers = viewers(&server, 50);
    for page in &viewers {
        vote(page, "q", "x").await.ok();
    }
    let rows = || {
        server
            .store
            .scan("sandbox/test-extension/trivia-tallies/", None, 1_000)
    };
    assert!(!rows().await.unwrap().is_empty());
    let delete = json!({ "id": "q" }).to_string();
    let path = "/v1/e/curated_poll_edit";
    admin.send(http::Method::DELETE, path, delete).await.ok();
    let swept = || async { rows().await.unwrap().is_empty() };
    server.in_time("the rows are removed", swept).await;
}

#[tokio::test]
async fn the_record_of_a_voter_stays_small_however_many_questions_come_and_go() {
    let server = Server::start_with(|settings| settings.limits.trivia_questions_max = 3).await;
    let admin = server.trusted("admin");
    let page = viewer(&server, "42", "1");
    put(&admin, "stays", &["x"]).await;
    state(&admin, "stays", "state-unlocked").await.ok();
    vote(&page, "stays", "x").await.ok();
    for _ in 0..10 {
        put(&admin, "goes", &["x"]).await;
        state(&admin, "goes", "state-unlocked").await.ok();
        vote(&page, "goes", "x").await.ok();
        let delete = json!({ "id": "goes" }).to_string();
        let path = "/v1/e/curated_poll_edit";
        admin.send(http::Method::DELETE, path, delete).await.ok();
        server.advance_ms(1_000);
        let key = "sandbox/test-extension/trivia-voters/1";
        let record = server.store.get(key).await.unwrap().unwrap();
        let voter: Value = serde_json::from_slice(&record.value).unwrap();
        assert!(voter["votes"].as_object().unwrap().len() <= 3, "{voter}");
    }
    assert_eq!(
        question(&page, "stays").await["results"],
        json!({ "you": "x" })
    );
}
