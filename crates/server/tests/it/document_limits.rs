//! The limits of documents (`spec 5`), at the limit and one beyond, from both sides.

use http::Method;
use serde_json::{Map, Value, json};

use crate::harness::{Game, Http, OWNER, Server, refusal};

const KIB: usize = 1_024;

/// Paths over REST and the largest document there.
const REST: [(&str, usize); 7] = [
    ("/v1/e/channel_state", 256 * KIB),
    ("/v1/e/extension_state", 256 * KIB),
    ("/v1/e/extension_hidden_state", 256 * KIB),
    ("/v1/e/viewer_state", 32 * KIB),
    ("/v1/e/extension_viewer_state", 32 * KIB),
    ("/v1/e/config/channel", 256 * KIB),
    ("/v1/e/config/extension", 256 * KIB),
];

/// A document of so many bytes minified.
fn sized(bytes: usize) -> Value {
    json!({ "a": "x".repeat(bytes - 8) })
}

/// Lists in lists, `depth` deep with the object that is the root.
fn deep(depth: usize) -> Value {
    (2..depth).fold(json!([]), |inner, _| json!([inner]))
}

fn keys(count: usize) -> Value {
    let keys: Map<_, _> = (0..count).map(|n| (n.to_string(), json!(0))).collect();
    Value::Object(keys)
}

fn tests_only(count: usize) -> Value {
    json!(vec![
        json!({ "op": "test", "path": "", "value": {} });
        count
    ])
}

/// Doubles what is there, so many times: far over any limit on the way, tiny at the end.
fn explosion() -> Value {
    let mut ops = vec![json!({ "op": "add", "path": "/0", "value": "x".repeat(1_000) })];
    for n in 1..60 {
        let path = format!("/{n}");
        ops.push(json!({ "op": "add", "path": path, "value": {} }));
        for side in ["l", "r"] {
            ops.push(json!({ "op": "copy", "from": format!("/{}", n - 1), "path": format!("{path}/{side}") }));
        }
    }
    ops.push(json!({ "op": "replace", "path": "", "value": {} }));
    json!(ops)
}

/// Over the limit by one step, back under it by the next.
fn over_and_back(bytes_max: usize) -> Value {
    let half = "x".repeat(bytes_max / 2);
    json!([
        { "op": "add", "path": "/a", "value": half },
        { "op": "copy", "from": "/a", "path": "/b" },
        { "op": "remove", "path": "/a" },
    ])
}

async fn rest_refuses(page: &Http, method: Method, path: &str, body: &Value, why: &str) {
    let before = page.get(path).await.body;
    let answer = page.send(method, path, body.to_string()).await;
    let told = answer.json();
    assert_eq!(answer.status, 400, "{path} {told}");
    assert!(
        told["reason"].as_str().unwrap().contains(why),
        "{path}: {told}"
    );
    assert_eq!(page.get(path).await.body, before, "{path}");
}

#[tokio::test]
async fn every_document_ends_at_its_bytes_over_rest() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    for (path, bytes_max) in REST {
        let over = format!("must not be over {bytes_max} bytes");
        // Spaces do not count.
        let spaced = sized(bytes_max).to_string().replacen(':', " : \n", 1);
        page.send(Method::POST, path, spaced).await.ok();
        assert_eq!(page.get(path).await.body.len(), bytes_max, "{path}");
        rest_refuses(&page, Method::POST, path, &sized(bytes_max + 1), &over).await;
        let grow = json!([{ "op": "replace", "path": "/a", "value": "x".repeat(bytes_max - 7) }]);
        rest_refuses(&page, Method::PATCH, path, &grow, &over).await;
        if path != "/v1/e/extension_viewer_state" {
            let merge = json!({ "b": 0 });
            rest_refuses(&page, Method::PATCH, path, &merge, &over).await;
        }
        page.post(path, &json!({})).await.ok();
        rest_refuses(
            &page,
            Method::PATCH,
            path,
            &over_and_back(bytes_max),
            "op 1: ",
        )
        .await;
        rest_refuses(&page, Method::PATCH, path, &explosion(), &over).await;
        server.advance_ms(1_000);
    }
    let viewer = server.page("viewer", "42").await;
    let path = "/v1/e/extension_viewer_state";
    viewer.patch(path, &sized(32 * KIB)).await.ok();
    let over = "must not be over 32768 bytes";
    rest_refuses(&viewer, Method::PATCH, path, &sized(32 * KIB + 1), over).await;
    let map = json!({ "77": sized(32 * KIB + 1) });
    rest_refuses(&page, Method::PATCH, path, &map, over).await;
}

#[tokio::test]
async fn depth_keys_and_ops_end_where_they_should_over_rest() {
    let server = Server::start().await;
    let page = server.page("admin", "42").await;
    for (path, bytes_max) in REST {
        let add = |value: Value| json!([{ "op": "add", "path": "/d", "value": value }]);
        page.post(path, &json!({ "d": deep(64) })).await.ok();
        rest_refuses(&page, Method::POST, path, &json!({ "d": deep(65) }), "64").await;
        page.patch(path, &add(deep(64))).await.ok();
        rest_refuses(&page, Method::PATCH, path, &add(deep(65)), "64").await;
        page.post(path, &json!({})).await.ok();
        page.patch(path, &tests_only(1_000)).await.ok();
        let many = "more than 1000 operations";
        rest_refuses(&page, Method::PATCH, path, &tests_only(1_001), many).await;
        if bytes_max > 100 * KIB {
            page.post(path, &keys(10_000)).await.ok();
            rest_refuses(&page, Method::POST, path, &keys(10_001), "10000").await;
            rest_refuses(&page, Method::PATCH, path, &add(json!(0)), "10000").await;
        }
        server.advance_ms(1_000);
    }
}

async fn game_refuses(game: &mut Game, action: &str, target: &str, data: Value, why: &str) {
    let answer = game.call(action, target, data).await;
    let (_, told) = refusal(&answer, 400);
    assert!(told.contains(why), "{action} {target}: {told}");
}

/// The game's ways to write: target, member, action to patch.
const GAME: [(&str, &str, &str); 3] = [
    ("channel", "state", "update"),
    ("extension", "state", "update"),
    ("config", "config", "patch"),
];

#[tokio::test]
async fn the_same_limits_hold_on_a_games_connection() {
    let server = Server::start().await;
    let (mut game, _) = server.paired_game(OWNER).await;
    let over = "must not be over 262144 bytes";
    for (target, member, patch) in GAME {
        let with = |value: Value| json!({ member: value });
        let add = |value: Value| with(json!([{ "op": "add", "path": "/d", "value": value }]));
        let set = game.call("set", target, with(sized(256 * KIB))).await;
        assert_eq!(set["data"][member], sized(256 * KIB));
        game_refuses(&mut game, "set", target, with(sized(256 * KIB + 1)), over).await;
        game_refuses(&mut game, patch, target, add(json!(0)), over).await;
        let set = game.call("set", target, with(json!({}))).await;
        assert_eq!(set["data"][member], json!({}));
        game_refuses(
            &mut game,
            patch,
            target,
            with(over_and_back(256 * KIB)),
            "op 1: ",
        )
        .await;
        game_refuses(&mut game, patch, target, with(explosion()), over).await;
        game_refuses(&mut game, patch, target, with(tests_only(1_001)), "1000").await;
        let passed = game.call(patch, target, with(tests_only(1_000))).await;
        assert_eq!(passed["data"][member], json!({}));
        game.call("set", target, with(json!({ "d": deep(64) })))
            .await;
        game_refuses(
            &mut game,
            "set",
            target,
            with(json!({ "d": deep(65) })),
            "64",
        )
        .await;
        game_refuses(&mut game, patch, target, add(deep(65)), "64").await;
        // As deep as it goes, parents made on the way.
        let path = "/p".repeat(63);
        let parents = |path: &str| with(json!([{ "op": "add", "path": path, "value": {} }]));
        assert!(game.call(patch, target, parents(&path)).await["data"].is_object());
        game_refuses(&mut game, patch, target, parents(&"/q".repeat(64)), "64").await;
        game.call("set", target, with(keys(10_000))).await;
        game_refuses(&mut game, "set", target, with(keys(10_001)), "10000").await;
        game_refuses(&mut game, patch, target, add(json!(0)), "10000").await;
        let now = game
            .call("get", target, json!({ "config_id": "channel" }))
            .await;
        assert_eq!(now["data"][member].as_object().unwrap().len(), 10_000);
    }
}
