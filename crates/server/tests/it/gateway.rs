//! Actions, texts and metadata, and what viewers see of them (`spec 2.13`, `spec 6.2`).

use serde_json::{Value, json};

use crate::harness::{Game, Http, Server, Viewer, refusal};

pub const PATH: &str = "/v1/e/gateway";

/// An action that helps, with an impact of 1.
pub fn action(id: &str, count: i64) -> Value {
    json!({
        "id": id, "category": "help", "state": "available", "impact": 1, "name": "A name",
        "description": "What it does", "icon": "sword", "count": count,
    })
}

pub async fn set_actions(game: &mut Game, actions: Value) {
    game.done("set", "gatewayActions", json!({ "actions": actions }))
        .await;
}

pub async fn set_state(game: &mut Game, change: Value) {
    game.done("set", "gatewayActionState", change).await;
}

/// The field of an action as viewers read it.
pub async fn seen(viewer: &Http, id: &str, field: &str) -> Value {
    let gateway = viewer.get(PATH).await.ok();
    let actions = gateway["actions"].as_array().unwrap();
    let action = actions.iter().find(|action| action["id"] == id);
    action.map_or(Value::Null, |action| action[field].clone())
}

#[tokio::test]
async fn viewers_read_what_the_game_set() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    assert_eq!(
        viewer.get(PATH).await.ok(),
        json!({ "actions": [], "texts": [] })
    );
    let (mut game, _) = server.paired_game("42").await;
    let mut hidden = action("hidden", 5);
    hidden["state"] = json!("hidden");
    let bare = json!({ "id": "bare", "category": "hinder", "state": "unavailable", "impact": 5 });
    set_actions(
        &mut game,
        json!([action("a", 3), hidden, bare, action("many", 65_535)]),
    )
    .await;
    let metadata = json!({ "name": "My Game", "logo": "aGk=", "theme": "" });
    game.done("set", "gameMetadata", metadata).await;
    let texts = json!({ "game": { "text": {
        "game_data": [{ "icon": "i", "label": "Score", "value": "1" }, 7],
        "game_vectors": { "Position": { "value": "1,2" }, "Speed": "3" },
    } } });
    game.call("set", "channel", json!({ "state": texts })).await;
    let expected = json!({
        "metadata": { "name": "My Game", "logo": "aGk=" },
        "actions": [
            {
                "id": "a", "category": "help", "state": "available", "impact": 1,
                "name": "A name", "description": "What it does", "icon": "sword", "count": 3,
                "inventory": 3, "price": 25,
            },
            {
                "id": "bare", "category": "hinder", "state": "unavailable", "impact": 5,
                "name": "", "description": "", "icon": "", "count": -1, "inventory": -1,
                "price": 500,
            },
            {
                "id": "many", "category": "help", "state": "available", "impact": 1,
                "name": "A name", "description": "What it does", "icon": "sword",
                "count": 65_535, "inventory": 65_535, "price": 25,
            },
        ],
        "texts": [
            { "icon": "i", "label": "Score", "value": "1" },
            { "label": "Position", "value": "1,2" },
            { "label": "Speed", "value": "3" },
        ],
    });
    assert_eq!(
        viewer.get(PATH).await.ok().to_string(),
        expected.to_string()
    );
    // Another channel has nothing of it; one without a token sees nothing.
    let there = server.page("viewer", "43").await;
    assert_eq!(
        there.get(PATH).await.ok(),
        json!({ "actions": [], "texts": [] })
    );
    assert_eq!(server.sandbox().get(PATH).await.status, 401);
}

#[tokio::test]
async fn prices_come_from_the_configuration() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let viewer = server.page("viewer", "42").await;
    let actions = (0..6).map(|impact| {
        let mut action = action(&format!("i{impact}"), 1);
        action["impact"] = json!(impact);
        action
    });
    set_actions(&mut game, actions.collect()).await;
    let prices = async || {
        let mut prices = Vec::new();
        for impact in 0..6 {
            let price = seen(&viewer, &format!("i{impact}"), "price").await;
            prices.push(price.as_u64().unwrap());
        }
        prices
    };
    assert_eq!(prices().await, [10, 25, 50, 100, 250, 500]);
    let config = json!({
        "gateway": { "impact_prices": [1, 2, 3, 4, 5, 6] }, "skus": { "i3": { "price": 33 } },
    });
    game.call("set", "config", json!({ "config": config }))
        .await;
    assert_eq!(prices().await, [1, 2, 3, 33, 5, 6]);
}

#[tokio::test]
async fn counts_cap_and_fill_and_deltas_stay_in_between() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let viewer = server.page("viewer", "42").await;
    set_actions(&mut game, json!([action("a", 10)])).await;
    let change = |rest: Value| {
        let mut change = json!({ "id": "a" });
        change
            .as_object_mut()
            .unwrap()
            .extend(rest.as_object().unwrap().clone());
        change
    };
    for (rest, count, inventory) in [
        (json!({ "inventory": 4 }), 10, 4),
        (json!({ "inventory": 11 }), 10, 10),
        (json!({ "delta_inventory": { "change": -3 } }), 10, 7),
        (json!({ "delta_inventory": { "change": -100 } }), 10, 0),
        (json!({ "delta_inventory": { "change": 100 } }), 10, 10),
        (json!({ "count": 6 }), 6, 6),
        (json!({ "count": 8 }), 8, 6),
        (
            json!({ "count": 9, "inventory": 3, "delta_inventory": { "change": 1 } }),
            9,
            4,
        ),
        (json!({ "count": -1 }), -1, -1),
        (json!({ "delta_inventory": { "change": -1 } }), -1, -1),
        (json!({ "count": 65_535 }), 65_535, 65_535),
        (json!({ "count": 5 }), 5, 5),
        (
            json!({ "state": "unavailable", "delta_inventory": {}, "inventory": null }),
            5,
            5,
        ),
    ] {
        set_state(&mut game, change(rest.clone())).await;
        let is = (
            seen(&viewer, "a", "count").await,
            seen(&viewer, "a", "inventory").await,
        );
        assert_eq!(is, (json!(count), json!(inventory)), "{rest}");
    }
    assert_eq!(seen(&viewer, "a", "state").await, "unavailable");
    // The list again: what is left stays left.
    set_state(&mut game, json!({ "id": "a", "inventory": 2 })).await;
    set_actions(&mut game, json!([action("b", 7), action("a", 10)])).await;
    assert_eq!(seen(&viewer, "a", "inventory").await, 2);
    set_actions(&mut game, json!([action("b", 7)])).await;
    set_actions(&mut game, json!([action("a", 10)])).await;
    assert_eq!(seen(&viewer, "a", "inventory").await, 10);
}

#[tokio::test]
async fn a_list_of_actions_that_is_wrong_is_refused_and_the_one_before_stays() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let viewer = server.page("viewer", "42").await;
    set_actions(&mut game, json!([action("a", 1)])).await;
    let before = viewer.get(PATH).await.ok();
    let with = |field: &str, value: Value| {
        let mut action = action("b", 1);
        action[field] = value;
        json!({ "actions": [action] })
    };
    let many: Vec<Value> = (0..257).map(|n| action(&n.to_string(), 1)).collect();
    for ((target, data), detail) in [
        (("gatewayActions", json!({})), "actions is required"),
        (
            ("gatewayActions", json!({ "actions": {} })),
            "actions must be a list",
        ),
        (
            ("gatewayActions", json!({ "actions": [7] })),
            "actions[0] is wrong",
        ),
        (
            ("gatewayActions", with("id", json!(""))),
            "actions[0].id must be",
        ),
        (
            ("gatewayActions", with("id", json!(null))),
            "actions[0].id must be",
        ),
        (("gatewayActions", with("category", json!("evil"))), "evil"),
        (
            ("gatewayActions", with("category", json!(null))),
            "actions[0].category is required",
        ),
        (
            ("gatewayActions", with("state", json!(1))),
            "actions[0] is wrong",
        ),
        (
            ("gatewayActions", with("impact", json!(6))),
            "actions[0].impact must be from 0 to 5",
        ),
        (
            ("gatewayActions", with("impact", json!(1.5))),
            "actions[0] is wrong",
        ),
        (
            ("gatewayActions", with("name", json!(1))),
            "actions[0] is wrong",
        ),
        (
            ("gatewayActions", with("count", json!(-2))),
            "actions[0].count must be",
        ),
        (
            ("gatewayActions", with("count", json!(65_536))),
            "actions[0].count must be",
        ),
        (
            ("gatewayActions", with("icon", json!("x".repeat(262_144)))),
            "actions must be at most",
        ),
        (
            (
                "gatewayActions",
                json!({ "actions": [action("b", 1), action("b", 2)] }),
            ),
            "actions[1].id is there twice",
        ),
        (
            ("gatewayActions", json!({ "actions": many })),
            "actions must be at most 256",
        ),
    ] {
        let answer = game.call("set", target, data).await;
        let (_, told) = refusal(&answer, 400);
        assert!(told.contains(detail), "{detail}: {told}");
    }
    assert_eq!(viewer.get(PATH).await.ok(), before);
}

#[tokio::test]
async fn a_change_that_is_wrong_is_refused_and_changes_nothing() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let viewer = server.page("viewer", "42").await;
    set_actions(&mut game, json!([action("a", 1)])).await;
    let before = viewer.get(PATH).await.ok();
    let state = |rest: Value| ("gatewayActionState", rest);
    for ((target, data), detail) in [
        (state(json!({})), "id is required"),
        (
            state(json!({ "id": "a", "state": "sold" })),
            "state must be",
        ),
        (
            state(json!({ "id": "a", "count": 1.5 })),
            "count must be an integer",
        ),
        (
            state(json!({ "id": "a", "count": -2 })),
            "count must be from -1 to 65535",
        ),
        (
            state(json!({ "id": "a", "inventory": "1" })),
            "inventory must be an integer",
        ),
        (
            state(json!({ "id": "a", "inventory": 70_000 })),
            "inventory must be from",
        ),
        (
            state(json!({ "id": "a", "delta_inventory": { "change": "1" } })),
            "delta_inventory.change must be an integer",
        ),
        (
            ("gameMetadata", json!({ "name": "x".repeat(257) })),
            "name must be at most 256 bytes",
        ),
        (
            ("gameMetadata", json!({ "theme": 1 })),
            "theme must be a string",
        ),
        (
            ("gameMetadata", json!({ "logo": "no base64!" })),
            "logo must be base64",
        ),
    ] {
        let answer = game.call("set", target, data).await;
        let (_, told) = refusal(&answer, 400);
        assert!(told.contains(detail), "{detail}: {told}");
    }
    let unknown = game
        .call(
            "set",
            "gatewayActionState",
            json!({ "id": "x", "count": 1 }),
        )
        .await;
    refusal(&unknown, 404);
    refusal(&game.call("get", "gatewayActions", json!({})).await, 400);
    assert_eq!(viewer.get(PATH).await.ok(), before);
}

#[tokio::test]
async fn viewers_are_told_at_most_every_500_ms_and_of_the_last_change_always() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let page = server.page("viewer", "42").await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    set_actions(&mut game, json!([action("a", 5)])).await;
    let (name, data) = viewer.event().await;
    assert_eq!(
        (name.as_str(), data),
        ("gateway_update", page.get(PATH).await.ok())
    );
    for left in [4, 3, 2] {
        set_state(&mut game, json!({ "id": "a", "inventory": left })).await;
    }
    game.done("set", "gameMetadata", json!({ "name": "G" }))
        .await;
    let admin = server.trusted("admin");
    admin
        .post("/v1/e/json_store?channel_id=42", &json!({}))
        .await
        .ok();
    assert_eq!(viewer.event().await.0, "json_store_update:default");
    server.advance_ms(500);
    let (name, data) = viewer.event().await;
    assert_eq!(
        (name.as_str(), &data),
        ("gateway_update", &page.get(PATH).await.ok())
    );
    assert_eq!(
        (&data["actions"][0]["inventory"], &data["metadata"]["name"]),
        (&json!(2), &json!("G"))
    );
}

#[tokio::test]
async fn a_logo_has_1_mib_and_events_go_without_a_large_one() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game("42").await;
    let page = server.page("viewer", "42").await;
    let mut viewer = Viewer::of(&server, Some("42")).await;
    let logo = "A".repeat(1_048_576);
    game.done("set", "gameMetadata", json!({ "name": "G", "logo": logo }))
        .await;
    assert_eq!(page.get(PATH).await.ok()["metadata"]["logo"], logo);
    let (_, data) = viewer.event().await;
    assert_eq!(data["metadata"], json!({ "name": "G" }));
    let logo = "A".repeat(1_048_580);
    let refused = game
        .call("set", "gameMetadata", json!({ "logo": logo }))
        .await;
    assert_eq!(
        refusal(&refused, 400).1,
        "logo must be at most 1048576 bytes"
    );
    assert_eq!(page.get(PATH).await.ok()["metadata"]["name"], "G");
}
