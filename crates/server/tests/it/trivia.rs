//! Trivia: whole contests (`spec 3.7`). Every number is derived by hand.

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use crate::harness::{Answer, Http, OWNER, Server, Viewer, claims};

/// A page of a viewer of a channel who shares identity.
pub fn viewer(server: &Server, channel: &str, user: &str) -> Http {
    let mut claims = claims("viewer", channel);
    claims["allowed_stage"] = json!("sandbox");
    claims["user_id"] = json!(user);
    server.signed(Stage::Sandbox, &claims)
}

/// A question or an option of which only the id matters.
pub fn text(id: &str) -> Value {
    json!({
        "id": id, "name": format!("name of {id}"), "short_name": id, "description": "",
    })
}

/// Puts a question with options in.
pub async fn put(admin: &Http, id: &str, options: &[&str]) {
    admin.post("/v1/e/curated_poll_edit", &text(id)).await.ok();
    for option in options {
        let body = json!({ "id": id, "option": text(option) });
        let path = "/v1/e/curated_poll_edit_option";
        admin.post(path, &body).await.ok();
    }
}

/// Changes the state of a question.
pub async fn state(admin: &Http, id: &str, state: &str) -> Answer {
    let path = format!("/v1/e/curated_poll_state?id={id}");
    admin.post(&path, &json!({ "transition": state })).await
}

/// Declares a winner.
pub async fn declare(admin: &Http, id: &str, winner: &str) -> Answer {
    let path = format!("/v1/e/curated_poll_state?id={id}");
    let body = json!({ "transition": "state-results", "winner": winner });
    admin.post(&path, &body).await
}

/// Votes.
pub async fn vote(page: &Http, question: &str, option: &str) -> Answer {
    let body = json!({ "question_id": question, "vote": option });
    page.post("/v1/e/curated_poll", &body).await
}

/// A question as a page reads it.
pub async fn question(page: &Http, id: &str) -> Value {
    page.get(&format!("/v1/e/curated_poll?id={id}")).await.ok()
}

/// The leaderboard.
pub async fn board(page: &Http) -> Value {
    page.get("/v1/e/curated_poll_leaderboard").await.ok()
}

#[tokio::test]
async fn a_contest_of_two_teams_comes_out_as_derived_by_hand() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let captains = [
        server.page("broadcaster", "42").await,
        server.page("broadcaster", "43").await,
    ];
    put(&admin, "q1", &["x", "y"]).await;
    put(&admin, "q2", &["x", "y"]).await;
    assert_eq!(board(&admin).await, json!({ "leaderboard": [] }));

    // Team 42 has four members of whom three vote, two of them right, and so does its captain.
    // Team 43 has two members who vote, one of them right; its captain is wrong.
    state(&admin, "q1", "state-unlocked").await.ok();
    for (channel, user, option) in [
        ("42", "1", "x"),
        ("42", "2", "x"),
        ("42", "3", "y"),
        ("43", "5", "x"),
        ("43", "6", "y"),
    ] {
        let answer = vote(&viewer(&server, channel, user), "q1", option).await;
        assert_eq!(answer.ok(), json!({}));
    }
    let fourth = viewer(&server, "42", "4");
    let joined = fourth.post("/v1/e/team_membership", &json!({})).await;
    assert_eq!(joined.ok(), json!({ "id": "42" }));
    vote(&captains[0], "q1", "x").await.ok();
    vote(&captains[1], "q1", "y").await.ok();
    state(&admin, "q1", "state-locked").await.ok();
    assert_eq!(board(&admin).await, json!({ "leaderboard": [] }));
    let answer = declare(&admin, "q1", "x").await.ok();
    assert_eq!(answer, json!({ "state": "state-results" }));

    let first = viewer(&server, "42", "1");
    let results = json!({ "you": "x", "winner": "x", "votes": { "x": 3, "y": 2 } });
    assert_eq!(question(&first, "q1").await["results"], results);
    // 42: 2/3 of 3/4 of 100,000, and 10 % of it. 43: 1/2 of 2/2.
    let q1_of_42 = json!({
        "question_id": "q1", "broadcaster_correct": true, "team_participation": 0.75,
        "team_participants": 3, "percent_correct": 2.0 / 3.0, "team_votes": 3,
        "score_values": [50_000, 5_000],
    });
    let q1_of_43 = json!({
        "question_id": "q1", "broadcaster_correct": false, "team_participation": 1,
        "team_participants": 2, "percent_correct": 0.5, "team_votes": 2,
        "score_values": [50_000, 0],
    });
    let after_q1 = json!({ "leaderboard": [
        { "team_id": "42", "combined_score": 55_000, "questions": { "q1": q1_of_42 } },
        { "team_id": "43", "combined_score": 50_000, "questions": { "q1": q1_of_43 } },
    ] });
    assert_eq!(board(&admin).await, after_q1);

    // The captain of 42 is silent. User 5 is in channel 42 now, and votes for 43 all the same.
    state(&admin, "q2", "state-unlocked").await.ok();
    for (channel, user) in [("42", "1"), ("42", "5"), ("43", "6")] {
        vote(&viewer(&server, channel, user), "q2", "y").await.ok();
    }
    vote(&captains[1], "q2", "y").await.ok();
    // Nothing moves before a winner is declared.
    assert_eq!(board(&captains[0]).await, after_q1);
    declare(&admin, "q2", "y").await.ok();
    let q2_of_42 = json!({
        "question_id": "q2", "broadcaster_correct": false, "team_participation": 0.25,
        "team_participants": 1, "percent_correct": 1, "team_votes": 1,
        "score_values": [25_000, 0],
    });
    let q2_of_43 = json!({
        "question_id": "q2", "broadcaster_correct": true, "team_participation": 1,
        "team_participants": 2, "percent_correct": 1, "team_votes": 2,
        "score_values": [100_000, 10_000],
    });
    let after_q2 = json!({ "leaderboard": [
        {
            "team_id": "43", "combined_score": 160_000,
            "questions": { "q1": q1_of_43, "q2": q2_of_43 },
        },
        {
            "team_id": "42", "combined_score": 80_000,
            "questions": { "q1": q1_of_42, "q2": q2_of_42 },
        },
    ] });
    for page in [&admin, &captains[0], &captains[1]] {
        assert_eq!(board(page).await, after_q2);
    }
}

#[tokio::test]
async fn a_question_reads_as_it_was_written_plus_state_options_and_results() {
    let server = Server::start().await;
    let owner = server.page("broadcaster", OWNER).await;
    let written = json!({
        "id": "q", "name": "Who?", "short_name": "W", "description": "Ünïcode \"?\"",
        "image": "https://example.com/q.png", "order": 2,
    });
    let mut expected = written.clone();
    expected["state"] = json!("state-inactive");
    expected["options"] = json!([]);
    expected["results"] = json!({});
    let path = "/v1/e/curated_poll_edit";
    assert_eq!(owner.post(path, &written).await.ok(), expected);
    let late = json!({
        "id": "late", "name": "L", "short_name": "", "description": "", "order": 1.5,
    });
    let plain = text("plain");
    for option in [&late, &plain] {
        let body = json!({ "id": "q", "option": option });
        let path = "/v1/e/curated_poll_edit_option";
        owner.post(path, &body).await.ok();
    }
    // Without an order it counts as 0: before 1.5.
    expected["options"] = json!([plain, late]);
    assert_eq!(question(&server.trusted("admin"), "q").await, expected);
    state(&owner, "q", "state-unlocked").await.ok();
    expected["state"] = json!("state-unlocked");
    let page = server.page("viewer", "42").await;
    assert_eq!(question(&page, "q").await, expected);
    // What was read can be sent back: only the text is taken from it.
    let mut again = expected.clone();
    again["name"] = json!("Whom?");
    again["state"] = json!("state-results");
    again["options"] = json!([]);
    again.as_object_mut().unwrap().remove("image");
    expected["name"] = json!("Whom?");
    expected.as_object_mut().unwrap().remove("image");
    assert_eq!(owner.post(path, &again).await.ok(), expected);
    let path = "/v1/e/curated_poll_edit_option";
    let body = json!({ "question": "q", "option": "late" });
    let answer = owner.send(http::Method::DELETE, path, body.to_string());
    expected["options"] = json!([plain]);
    assert_eq!(answer.await.ok(), expected);
    assert_eq!(question(&page, "q").await, expected);
}

#[tokio::test]
async fn questions_come_by_order_and_inactive_ones_to_trusted_callers_alone() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    for (id, order) in [
        ("c", json!(3)),
        ("b", json!(null)),
        ("a", json!(-1)),
        ("d", json!(3)),
    ] {
        let mut question = text(id);
        question["order"] = order;
        admin.post("/v1/e/curated_poll_edit", &question).await.ok();
    }
    state(&admin, "d", "state-unlocked").await.ok();
    state(&admin, "a", "state-locked").await.ok();
    let ids = |list: Value| -> Vec<String> {
        let questions = list["questions"].as_array().unwrap().iter();
        questions
            .map(|q| q["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let path = "/v1/e/curated_poll";
    for role in ["admin", "backend"] {
        let page = server.trusted(role);
        assert_eq!(ids(page.get(path).await.ok()), ["a", "b", "c", "d"]);
        assert_eq!(question(&page, "b").await["state"], "state-inactive");
    }
    for page in [
        server.page("viewer", "42").await,
        server.page("broadcaster", "42").await,
        server.page("broadcaster", OWNER).await,
    ] {
        assert_eq!(ids(page.get(path).await.ok()), ["a", "d"]);
        let hidden = page.get("/v1/e/curated_poll?id=b").await;
        hidden.refused(404, "There is no question with this id");
    }
    // Another stage is another world.
    let production = server.production_page("viewer", "42");
    assert_eq!(ids(production.get(path).await.ok()), Vec::<String>::new());
}

#[tokio::test]
async fn counts_and_winner_are_known_in_results_alone_and_ones_vote_always() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    put(&admin, "q", &["x", "y", "z"]).await;
    state(&admin, "q", "state-unlocked").await.ok();
    let (one, two) = (viewer(&server, "42", "1"), viewer(&server, "42", "2"));
    assert_eq!(question(&one, "q").await["results"], json!({}));
    vote(&one, "q", "x").await.ok();
    // A later vote replaces the earlier one.
    vote(&one, "q", "y").await.ok();
    vote(&one, "q", "y").await.ok();
    let you = json!({ "you": "y" });
    for name in [
        "state-unlocked",
        "state-locked",
        "state-inactive",
        "state-locked",
    ] {
        let answer = state(&admin, "q", name).await.ok();
        assert_eq!(answer, json!({ "state": name }));
        if name != "state-inactive" {
            assert_eq!(question(&one, "q").await["results"], you);
        }
    }
    declare(&admin, "q", "z").await.ok();
    let known = json!({ "winner": "z", "votes": { "x": 0, "y": 1, "z": 0 } });
    assert_eq!(question(&two, "q").await["results"], known);
    assert_eq!(question(&admin, "q").await["results"], known);
    state(&admin, "q", "state-unlocked").await.ok();
    assert_eq!(question(&two, "q").await["results"], json!({}));
    assert_eq!(question(&one, "q").await["results"], you);
    // An option that goes takes its votes along, also when one with its id comes later.
    let path = "/v1/e/curated_poll_edit_option";
    let body = json!({ "question": "q", "option": "y" });
    admin
        .send(http::Method::DELETE, path, body.to_string())
        .await
        .ok();
    admin
        .post(path, &json!({ "id": "q", "option": text("y") }))
        .await
        .ok();
    assert_eq!(question(&one, "q").await["results"], json!({}));
    declare(&admin, "q", "y").await.ok();
    let none = json!({ "winner": "y", "votes": { "x": 0, "y": 0, "z": 0 } });
    assert_eq!(question(&one, "q").await["results"], none);
}

#[tokio::test]
async fn viewers_of_all_channels_hear_of_each_change_of_state() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let mut all = Viewer::of(&server, None).await;
    put(&admin, "q", &["x", "y"]).await;
    state(&admin, "q", "state-unlocked").await.ok();
    // No change, no event; neither for a vote, nor for a text.
    state(&admin, "q", "state-unlocked").await.ok();
    vote(&viewer(&server, "42", "1"), "q", "x").await.ok();
    put(&admin, "q", &["z"]).await;
    state(&admin, "q", "state-locked").await.ok();
    declare(&admin, "q", "x").await.ok();
    declare(&admin, "q", "x").await.ok();
    declare(&admin, "q", "y").await.ok();
    // Straight from votes to results is one change.
    state(&admin, "q", "state-unlocked").await.ok();
    declare(&admin, "q", "z").await.ok();
    state(&admin, "q", "state-inactive").await.ok();
    for data in [
        json!({ "id": "q", "state": "state-unlocked" }),
        json!({ "id": "q", "state": "state-locked" }),
        json!({ "id": "q", "state": "state-results", "winner": "x" }),
        json!({ "id": "q", "state": "state-results", "winner": "y" }),
        json!({ "id": "q", "state": "state-unlocked" }),
        json!({ "id": "q", "state": "state-results", "winner": "z" }),
        json!({ "id": "q", "state": "state-inactive" }),
    ] {
        assert_eq!(all.event().await, ("trivia_update".to_owned(), data));
    }
}
