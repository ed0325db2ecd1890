//! Many writers of one document (DESIGN 3), also over a store that fails.

use std::collections::BTreeSet;

use crowdlink_store::Faults;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Game, Http, Server, refusal};

const CLIENTS: usize = 200;

async fn add(page: &Http, n: usize) -> u16 {
    let ops = json!([
        { "op": "add", "path": format!("/k{n}"), "value": n },
        { "op": "add", "path": "/list/-", "value": n },
    ]);
    page.patch("/v1/e/channel_state", &ops)
        .await
        .status
        .as_u16()
}

fn numbers(list: &Value) -> Vec<u64> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|n| n.as_u64().unwrap())
        .collect()
}

/// Hears until the list is whole; states never go back, for the list only grows.
async fn hears_only_forward(game: &mut Game, whole: usize) {
    let mut seen: Vec<u64> = Vec::new();
    while seen.len() < whole {
        let frame = game.frame().await;
        let list = numbers(&frame["data"]["state"]["list"]);
        assert!(
            list.len() > seen.len() || seen.is_empty(),
            "{} after {}",
            list.len(),
            seen.len()
        );
        assert_eq!(list[..seen.len()], seen[..], "history changed");
        seen = list;
    }
}

#[tokio::test]
async fn two_hundred_patch_one_document_at_once_and_none_is_lost() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    server
        .trusted("admin")
        .post("/v1/e/channel_state?channel_id=42", &json!({ "list": [] }))
        .await
        .ok();
    let mut games = Vec::new();
    for _ in 0..3 {
        let (mut game, _) = server.paired_game("42").await;
        game.call("subscribe", "state", json!({ "topic_id": "channel" }))
            .await;
        games.push(game);
        server.advance_ms(10_000);
    }
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 50,
        ..Faults::default()
    });
    let commits = server.store.commits();
    let hear = join_all(
        games
            .iter_mut()
            .map(|game| hears_only_forward(game, CLIENTS)),
    );
    let write = join_all((0..CLIENTS).map(|n| add(&page, n)));
    let (statuses, _) = tokio::join!(write, hear);
    assert_eq!(statuses, vec![200; CLIENTS]);
    let commits = server.store.commits() - commits;
    assert!(commits <= CLIENTS as u64 / 4, "{commits} commits");
    let state = server
        .page("viewer", "42")
        .await
        .get("/v1/e/channel_state")
        .await
        .ok();
    let list: BTreeSet<u64> = numbers(&state["list"]).into_iter().collect();
    assert_eq!(
        (list.len(), numbers(&state["list"]).len()),
        (CLIENTS, CLIENTS)
    );
    for n in 0..CLIENTS {
        assert_eq!(state[format!("k{n}")], n);
    }
}

#[tokio::test]
async fn one_bad_patch_among_many_harms_none_of_them() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "list": [] }))
        .await
        .ok();
    let write = |n: usize| {
        let page = &page;
        async move {
            if !n.is_multiple_of(10) {
                return add(page, n).await;
            }
            let ops = json!([
                { "op": "add", "path": "/bad", "value": n },
                { "op": "remove", "path": "/none" },
            ]);
            page.patch("/v1/e/channel_state", &ops)
                .await
                .status
                .as_u16()
        }
    };
    let statuses = join_all((0..100).map(write)).await;
    for (n, status) in statuses.into_iter().enumerate() {
        assert_eq!(status, if n.is_multiple_of(10) { 400 } else { 200 }, "{n}");
    }
    let state = page.get("/v1/e/channel_state").await.ok();
    assert_eq!(
        (state["list"].as_array().unwrap().len(), state.get("bad")),
        (90, None)
    );
}

#[tokio::test]
async fn whatever_the_store_does_what_was_answered_well_is_there() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let admin = server.trusted("admin");
    let path = "/v1/e/channel_state?channel_id=42";
    admin.post(path, &json!({ "list": [] })).await.ok();
    server.store.set_faults(Faults {
        refuse_per_mille: 200,
        unknown_per_mille: 200,
        delay_per_mille: 500,
        yields_max: 8,
    });
    let (mut good, mut bad) = (Vec::new(), 0);
    for round in 0..30 {
        let numbers = round * 6..(round + 1) * 6;
        let statuses = join_all(numbers.clone().map(|n| add(&page, n))).await;
        for (n, status) in numbers.zip(statuses) {
            match status {
                200 => good.push(n),
                500 => bad += 1,
                other => panic!("{other}"),
            }
        }
    }
    assert!(good.len() > 10 && bad > 10, "{} {bad}", good.len());
    server.store.set_faults(Faults::default());
    server.advance_ms(5_000);
    let state = page.get("/v1/e/channel_state").await.ok();
    let list = numbers(&state["list"]);
    for n in good {
        assert_eq!(state[format!("k{n}")], n);
        let times = list.iter().filter(|other| **other == n as u64).count();
        assert_eq!(times, 1, "{n}");
    }
}

#[tokio::test]
async fn a_write_of_unknown_outcome_is_told_to_those_who_listen_and_read_at_once() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    game.call("subscribe", "state", json!({ "topic_id": "channel" }))
        .await;
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "n": 1 }))
        .await
        .ok();
    assert_eq!(game.frame().await["data"]["state"], json!({ "n": 1 }));
    server.store.set_faults(Faults {
        unknown_per_mille: 1_000,
        ..Faults::default()
    });
    let failed = page.post("/v1/e/channel_state", &json!({ "n": 2 })).await;
    assert_eq!(failed.status, 500);
    assert_eq!(game.frame().await["data"]["state"], json!({ "n": 2 }));
    assert_eq!(
        page.get("/v1/e/channel_state").await.ok(),
        json!({ "n": 2 })
    );
}

#[tokio::test]
async fn while_the_store_is_down_writes_fail_and_say_so() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "n": 1 }))
        .await
        .ok();
    server.store.set_down(true);
    assert_eq!(
        page.post("/v1/e/channel_state", &json!({ "n": 2 }))
            .await
            .status,
        500
    );
    let answer = game
        .call("set", "channel", json!({ "state": { "n": 3 } }))
        .await;
    let (title, _) = refusal(&answer, 500);
    assert_eq!(title, "Internal Service Error");
    server.store.set_down(false);
    server.advance_ms(2_000);
    assert_eq!(
        page.get("/v1/e/channel_state").await.ok(),
        json!({ "n": 1 })
    );
    game.call("set", "channel", json!({ "state": { "n": 4 } }))
        .await;
    assert_eq!(
        page.get("/v1/e/channel_state").await.ok(),
        json!({ "n": 4 })
    );
}
