//! Trivia: who may do what, bad input, limits (`spec 3.7`, `spec 1.7`).

use crowdlink_protocol::Stage;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Http, OWNER, Server, claims};
use crate::trivia::{board, declare, put, question, state, text, viewer, vote};

const LOCKED: &str = "question is not open for votes";
const NO_QUESTION: &str = "There is no question with this id";
const NO_TEAM: &str = "This user is in no team";
const EDIT: &str = "/v1/e/curated_poll_edit";
const EDIT_OPTION: &str = "/v1/e/curated_poll_edit_option";
const STATE: &str = "/v1/e/curated_poll_state?id=q";
const TEAM: &str = "/v1/e/team_membership";

async fn delete(page: &Http, path: &str, body: &Value) -> crate::harness::Answer {
    page.send(Method::DELETE, path, body.to_string()).await
}

/// A contest with one unlocked question `q` of the options `x` and `y`.
async fn contest() -> (Server, Http) {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    put(&admin, "q", &["x", "y"]).await;
    state(&admin, "q", "state-unlocked").await.ok();
    (server, admin)
}

#[tokio::test]
async fn only_trusted_callers_and_the_owner_change_a_contest() {
    let (server, admin) = contest().await;
    let before = question(&admin, "q").await;
    let why = "requires role admin, or the extension's owner";
    for role in ["viewer", "moderator", "broadcaster"] {
        let page = server.page(role, "42").await;
        page.post(EDIT, &text("q2")).await.forbidden(why);
        let option = json!({ "id": "q", "option": text("z") });
        page.post(EDIT_OPTION, &option).await.forbidden(why);
        state(&page, "q", "state-locked").await.forbidden(why);
        declare(&page, "q", "x").await.forbidden(why);
        delete(&page, EDIT, &json!({ "id": "q" }))
            .await
            .forbidden(why);
        let option = json!({ "question": "q", "option": "x" });
        delete(&page, EDIT_OPTION, &option).await.forbidden(why);
    }
    assert_eq!(question(&admin, "q").await, before);
    for page in [
        server.trusted("backend"),
        server.page("broadcaster", OWNER).await,
    ] {
        put(&page, "q", &["z"]).await;
        state(&page, "q", "state-locked").await.ok();
        declare(&page, "q", "z").await.ok();
        delete(&page, EDIT, &json!({ "id": "q" })).await.ok();
    }
    let path = "/v1/e/curated_poll_leaderboard";
    for role in ["viewer", "moderator"] {
        let refused = server.page(role, "42").await.get(path).await;
        refused.forbidden("requires role broadcaster");
    }
}

#[tokio::test]
async fn a_bad_text_names_the_field_and_changes_nothing() {
    let (_server, admin) = contest().await;
    let before = question(&admin, "q").await;
    let with = |field: &str, value: Value| {
        let mut text = text("q");
        text[field] = value;
        text
    };
    let without = |field: &str| {
        let mut text = text("q");
        text.as_object_mut().unwrap().remove(field);
        text
    };
    let id = "id must be 1 to 64 characters without control characters";
    for (question, reason) in [
        (without("id"), "id is required"),
        (without("name"), "name is required"),
        (without("short_name"), "short_name is required"),
        (without("description"), "description is required"),
        (with("id", json!(7)), "id must be a string"),
        (with("id", json!("")), id),
        (with("id", json!("ä".repeat(65))), id),
        (with("id", json!("a\nb")), id),
        (with("name", json!([])), "name must be a string"),
        (
            with("name", json!("n".repeat(257))),
            "name must be at most 256 bytes",
        ),
        (
            with("short_name", json!("n".repeat(257))),
            "short_name must be at most 256 bytes",
        ),
        (
            with("description", json!("d".repeat(1_025))),
            "description must be at most 1024 bytes",
        ),
        (
            with("image", json!("i".repeat(2_049))),
            "image must be at most 2048 bytes",
        ),
        (with("image", json!(1)), "image must be a string"),
        (with("order", json!("1")), "order must be a number"),
        (json!([]), "body must be a JSON object"),
    ] {
        admin.post(EDIT, &question).await.refused(400, reason);
        if question.is_object() {
            let body = json!({ "id": "q", "option": question });
            let reason = format!("option.{reason}");
            admin.post(EDIT_OPTION, &body).await.refused(400, &reason);
        }
    }
    for option in [json!(null), json!("x"), json!([])] {
        let body = json!({ "id": "q", "option": option });
        let refused = admin.post(EDIT_OPTION, &body).await;
        refused.refused(400, "option must be an object");
    }
    assert_eq!(question(&admin, "q").await, before);
}

#[tokio::test]
async fn a_bad_transition_or_vote_names_the_field_and_changes_nothing() {
    let (server, admin) = contest().await;
    let before = question(&admin, "q").await;
    let states = "transition must be state-inactive, state-unlocked, state-locked or state-results";
    for (body, reason) in [
        (json!({}), "transition is required"),
        (json!({ "transition": "locked" }), states),
        (
            json!({ "transition": "state-results" }),
            "winner is required for state-results",
        ),
        (
            json!({ "transition": "state-results", "winner": null }),
            "winner is required for state-results",
        ),
        (
            json!({ "transition": "state-results", "winner": "z" }),
            "winner must be the id of an option",
        ),
        (
            json!({ "transition": "state-results", "winner": 1 }),
            "winner must be a string",
        ),
    ] {
        admin.post(STATE, &body).await.refused(400, reason);
    }
    let path = "/v1/e/curated_poll_state";
    let unnamed = admin
        .post(path, &json!({ "transition": "state-locked" }))
        .await;
    unnamed.refused(400, "id is required");
    assert_eq!(question(&admin, "q").await, before);
    // What is refused joins no team either.
    let page = viewer(&server, "42", "1");
    for (body, status, reason) in [
        (json!({ "vote": "x" }), 400, "question_id is required"),
        (json!({ "question_id": "q" }), 400, "vote is required"),
        (
            json!({ "question_id": "q", "vote": 1 }),
            400,
            "vote must be a string",
        ),
        (
            json!({ "question_id": "q", "vote": "z" }),
            400,
            "vote must be the id of an option",
        ),
        (
            json!({ "question_id": "none", "vote": "x" }),
            404,
            NO_QUESTION,
        ),
        (
            json!({ "question_id": "q".repeat(5_000), "vote": "x" }),
            404,
            NO_QUESTION,
        ),
    ] {
        let refused = page.post("/v1/e/curated_poll", &body).await;
        refused.refused(status, reason);
    }
    page.get(TEAM).await.refused(404, NO_TEAM);
    assert_eq!(question(&page, "q").await["results"], json!({}));
}

#[tokio::test]
async fn what_is_not_there_is_404_and_its_deletion_no_harm() {
    let (_server, admin) = contest().await;
    state(&admin, "none", "state-locked")
        .await
        .refused(404, NO_QUESTION);
    declare(&admin, "none", "x").await.refused(404, NO_QUESTION);
    let endless = "q".repeat(5_000);
    state(&admin, &endless, "state-locked")
        .await
        .refused(404, NO_QUESTION);
    for id in ["", "a\nb", &endless] {
        let body = json!({ "id": id, "option": text("x") });
        let refused = admin.post(EDIT_OPTION, &body).await;
        refused.refused(404, NO_QUESTION);
        let gone = delete(&admin, EDIT, &json!({ "id": id })).await;
        assert_eq!(gone.ok(), json!({}));
    }
    let body = json!({ "id": "none", "option": text("x") });
    admin
        .post(EDIT_OPTION, &body)
        .await
        .refused(404, NO_QUESTION);
    let body = json!({ "question": "none", "option": "x" });
    delete(&admin, EDIT_OPTION, &body)
        .await
        .refused(404, NO_QUESTION);
    let gone = delete(&admin, EDIT, &json!({ "id": "none" })).await;
    assert_eq!(gone.ok(), json!({}));
    let before = question(&admin, "q").await;
    let body = json!({ "question": "q", "option": "none" });
    assert_eq!(delete(&admin, EDIT_OPTION, &body).await.ok(), before);
}

#[tokio::test]
async fn a_question_takes_votes_only_while_unlocked() {
    let (server, admin) = contest().await;
    let (early, late) = (viewer(&server, "42", "1"), viewer(&server, "42", "2"));
    vote(&early, "q", "x").await.ok();
    for name in ["state-inactive", "state-locked"] {
        state(&admin, "q", name).await.ok();
        for page in [&early, &late] {
            let info = vote(page, "q", "y").await.refused(400, LOCKED);
            assert_eq!(
                info,
                "only an unlocked question takes votes; nothing was counted"
            );
        }
    }
    declare(&admin, "q", "x").await.ok();
    vote(&late, "q", "x").await.refused(400, LOCKED);
    late.get(TEAM).await.refused(404, NO_TEAM);
    let results = json!({ "you": "x", "winner": "x", "votes": { "x": 1, "y": 0 } });
    assert_eq!(question(&early, "q").await["results"], results);
    state(&admin, "q", "state-unlocked").await.ok();
    vote(&late, "q", "y").await.ok();
}

#[tokio::test]
async fn who_has_joined_a_team_stays_in_it() {
    let (server, admin) = contest().await;
    let page = viewer(&server, "42", "1");
    page.get(TEAM).await.refused(404, NO_TEAM);
    let none = page.send(Method::POST, TEAM, "").await;
    assert_eq!(none.ok(), json!({ "id": "42" }));
    let elsewhere = viewer(&server, "43", "1");
    for page in [&page, &elsewhere] {
        assert_eq!(
            page.post(TEAM, &json!({})).await.ok(),
            json!({ "id": "42" })
        );
        assert_eq!(page.get(TEAM).await.ok(), json!({ "id": "42" }));
    }
    // The first vote joins; somebody who does not share identity has a voice too.
    let mut anonymous = claims("viewer", "43");
    anonymous["opaque_user_id"] = json!("A1");
    anonymous["allowed_stage"] = json!("sandbox");
    let anonymous = server.signed(Stage::Sandbox, &anonymous);
    vote(&anonymous, "q", "x").await.ok();
    assert_eq!(anonymous.get(TEAM).await.ok(), json!({ "id": "43" }));
    let refused = admin.post(TEAM, &json!({})).await;
    refused.refused(400, "channel_id is required");
    let named = format!("{TEAM}?channel_id=44");
    assert_eq!(
        admin.post(&named, &json!({})).await.ok(),
        json!({ "id": "44" })
    );
    assert_eq!(admin.get(TEAM).await.ok(), json!({ "id": "44" }));
}

#[tokio::test]
async fn a_broadcaster_leads_the_team_and_is_no_member_of_it() {
    let (server, admin) = contest().await;
    let captain = server.page("broadcaster", "42").await;
    captain.get(TEAM).await.refused(404, NO_TEAM);
    vote(&captain, "q", "x").await.ok();
    assert_eq!(captain.get(TEAM).await.ok(), json!({ "id": "42" }));
    assert_eq!(
        question(&captain, "q").await["results"],
        json!({ "you": "x" })
    );
    // The same person on a viewer's token.
    vote(&viewer(&server, "42", "42"), "q", "y").await.ok();
    assert_eq!(
        question(&captain, "q").await["results"],
        json!({ "you": "y" })
    );
    declare(&admin, "q", "y").await.ok();
    let results = json!({ "you": "y", "winner": "y", "votes": { "x": 0, "y": 0 } });
    assert_eq!(question(&captain, "q").await["results"], results);
    let expected = json!({ "leaderboard": [{
        "team_id": "42", "combined_score": 0,
        "questions": { "q": {
            "question_id": "q", "broadcaster_correct": true, "team_participation": 0,
            "team_participants": 0, "percent_correct": 0, "team_votes": 0,
            "score_values": [0, 0],
        } },
    }] });
    assert_eq!(board(&captain).await, expected);
}

#[tokio::test]
async fn the_board_follows_the_winner_declared_last_and_a_question_that_goes_takes_its_points() {
    let (server, admin) = contest().await;
    let one = viewer(&server, "42", "1");
    vote(&one, "q", "x").await.ok();
    let score = |board: Value| board["leaderboard"][0]["combined_score"].clone();
    declare(&admin, "q", "x").await.ok();
    assert_eq!(score(board(&admin).await), 100_000);
    // Votes that come while it is open again count when a winner is declared again.
    state(&admin, "q", "state-unlocked").await.ok();
    vote(&viewer(&server, "42", "2"), "q", "y").await.ok();
    state(&admin, "q", "state-inactive").await.ok();
    assert_eq!(score(board(&admin).await), 100_000);
    declare(&admin, "q", "y").await.ok();
    assert_eq!(score(board(&admin).await), 50_000);
    let winner = json!({ "question": "q", "option": "y" });
    let refused = delete(&admin, EDIT_OPTION, &winner).await;
    refused.refused(400, "option is the winner of the question");
    assert_eq!(
        delete(&admin, EDIT, &json!({ "id": "q" })).await.ok(),
        json!({})
    );
    assert_eq!(board(&admin).await, json!({ "leaderboard": [] }));
    vote(&one, "q", "x").await.refused(404, NO_QUESTION);
    one.get("/v1/e/curated_poll?id=q")
        .await
        .refused(404, NO_QUESTION);
    // Another question with the same id has none of it; teams stay.
    put(&admin, "q", &["x", "y"]).await;
    state(&admin, "q", "state-unlocked").await.ok();
    assert_eq!(question(&one, "q").await["results"], json!({}));
    vote(&one, "q", "x").await.ok();
    declare(&admin, "q", "x").await.ok();
    let votes = &question(&one, "q").await["results"]["votes"];
    assert_eq!(votes, &json!({ "x": 1, "y": 0 }));
    assert_eq!(score(board(&admin).await), 50_000);
}

#[tokio::test]
async fn an_extension_has_64_questions_of_64_options() {
    let server = Server::start().await;
    // Two callers: each has 200 calls at once.
    let (admin, owner) = (
        server.trusted("admin"),
        server.page("broadcaster", OWNER).await,
    );
    for n in 0..64 {
        put(&admin, &format!("q{n}"), &[]).await;
        let option = json!({ "id": "q0", "option": text(&format!("o{n}")) });
        owner.post(EDIT_OPTION, &option).await.ok();
    }
    let refused = admin.post(EDIT, &text("q64")).await;
    refused.refused(
        400,
        "id is one question too many: an extension has at most 64",
    );
    let option = json!({ "id": "q0", "option": text("o64") });
    let refused = admin.post(EDIT_OPTION, &option).await;
    refused.refused(
        400,
        "option is one option too many: a question has at most 64",
    );
    // What is there can be changed, and what goes makes room.
    put(&admin, "q63", &["o"]).await;
    let option = json!({ "id": "q0", "option": text("o63") });
    admin.post(EDIT_OPTION, &option).await.ok();
    let list = admin.get("/v1/e/curated_poll").await.ok();
    assert_eq!(list["questions"].as_array().unwrap().len(), 64);
    assert_eq!(
        list["questions"][0]["options"].as_array().unwrap().len(),
        64
    );
    delete(&admin, EDIT, &json!({ "id": "q1" })).await.ok();
    put(&admin, "q64", &[]).await;
}

#[tokio::test]
async fn texts_may_be_as_long_as_they_may_and_no_byte_longer() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let longest = json!({
        "id": "ä".repeat(64), "name": "n".repeat(256), "short_name": "s".repeat(256),
        "description": "d".repeat(1_024), "image": "i".repeat(2_048), "order": -1,
    });
    let written = admin.post(EDIT, &longest).await.ok();
    for field in ["id", "name", "short_name", "description", "image", "order"] {
        assert_eq!(written[field], longest[field]);
    }
    let path = format!("/v1/e/curated_poll?id={}", "%C3%A4".repeat(64));
    assert_eq!(admin.get(&path).await.ok(), written);
}

#[tokio::test]
async fn a_contest_has_so_many_teams_and_who_comes_later_is_refused_whole() {
    let server = Server::start_with(|settings| settings.limits.trivia_teams_max = 2).await;
    let admin = server.trusted("admin");
    put(&admin, "q", &["x"]).await;
    state(&admin, "q", "state-unlocked").await.ok();
    vote(&viewer(&server, "1", "11"), "q", "x").await.ok();
    vote(&server.page("broadcaster", "2").await, "q", "x")
        .await
        .ok();
    let reason = "channel_id is of one team too many: a contest has at most 2";
    let late = viewer(&server, "3", "31");
    vote(&late, "q", "x").await.refused(400, reason);
    late.post(TEAM, &json!({})).await.refused(400, reason);
    late.get(TEAM).await.refused(404, NO_TEAM);
    assert_eq!(question(&late, "q").await["results"], json!({}));
    // Teams that are there take members.
    vote(&viewer(&server, "2", "21"), "q", "x").await.ok();
    declare(&admin, "q", "x").await.ok();
    let votes = &question(&late, "q").await["results"]["votes"];
    assert_eq!(votes, &json!({ "x": 2 }));
}

#[tokio::test]
async fn a_caller_votes_60_times_at_once_and_20_times_a_second() {
    let (server, _admin) = contest().await;
    let page = viewer(&server, "42", "1");
    for n in 0..60 {
        vote(&page, "q", if n % 2 == 0 { "x" } else { "y" })
            .await
            .ok();
    }
    let refused = vote(&page, "q", "x").await;
    refused.refused(429, "Too many requests");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(question(&page, "q").await["results"], json!({ "you": "y" }));
    server.advance_ms(50);
    vote(&page, "q", "x").await.ok();
}
