//! Accumulate (`spec 3.5`): who sends and reads what, and how long it stays.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Http, OWNER, START_MS, Server, claims};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const PATH: &str = "/v1/e/accumulate?id=votes";
const READ: &str = "/v1/e/accumulate?id=votes&start=0";
const MALFORMED: &str = "Malformed start parameter";

async fn data(page: &Http, path: &str) -> Vec<Value> {
    let read = page.get(path).await.ok();
    let entries = read["data"].as_array().unwrap();
    entries.iter().map(|entry| entry["data"].clone()).collect()
}

#[tokio::test]
async fn values_are_read_with_who_sent_them_and_when() {
    let server = Server::start().await;
    let sender = server.user("viewer", "42", "7");
    let sent = sender.post(PATH, &json!({ "great": 10.0 })).await;
    assert_eq!(sent.ok(), json!({}));
    server.advance_ms(5);
    let mut anonymous = claims("viewer", "42");
    anonymous["allowed_stage"] = json!("sandbox");
    anonymous["opaque_user_id"] = json!("Aanon");
    let anonymous = server.signed(crowdlink_protocol::Stage::Sandbox, &anonymous);
    anonymous.post(PATH, &json!("a text")).await.ok();
    let read = server.user("broadcaster", "42", "42").get(READ).await.ok();
    let expected = json!({
        "data": [
            {
                "observed": START_MS, "channel_id": "42", "opaque_user_id": "U7",
                "opaque_id": "U7", "user_id": "7", "data": { "great": 10.0 },
            },
            {
                "observed": START_MS + 5, "channel_id": "42", "opaque_user_id": "Aanon",
                "opaque_id": "Aanon", "user_id": "", "data": "a text",
            },
        ],
        "latest": START_MS + 5,
    });
    assert_eq!(read, expected);
}

#[tokio::test]
async fn any_json_of_256_bytes_passes_and_one_byte_more_does_not() {
    let server = Server::start().await;
    let sender = server.user("viewer", "42", "7");
    let sized = |bytes: usize| json!("x".repeat(bytes - 2));
    let values = [
        json!(1),
        json!(null),
        json!([]),
        json!({ "a": [1] }),
        sized(256),
    ];
    for value in &values {
        sender.post(PATH, value).await.ok();
    }
    let reason = "body must be at most 256 bytes of JSON";
    sender.post(PATH, &sized(257)).await.refused(400, reason);
    let wide = json!("ä".repeat(128));
    sender.post(PATH, &wide).await.refused(400, reason);
    let broken = sender.send(Method::POST, PATH, "{").await;
    broken.refused(400, "body must be JSON");
    // White space is not counted; what was encoded twice is undone; no body is `{}`.
    let spaced = format!("{}[ 1 ]", " ".repeat(300));
    sender.send(Method::POST, PATH, spaced).await.ok();
    sender.post(PATH, &json!("{\"b\":2}")).await.ok();
    sender.send(Method::POST, PATH, "").await.ok();
    let mut expected = values.to_vec();
    expected.extend([json!([1]), json!({ "b": 2 }), json!({})]);
    let page = server.user("broadcaster", "42", "42");
    assert_eq!(data(&page, READ).await, expected);
}

#[tokio::test]
async fn a_broadcaster_reads_its_own_channel_and_an_admin_all() {
    let server = Server::start().await;
    for (n, channel) in ["42", "43", "42", "44", "43"].into_iter().enumerate() {
        let sender = server.user("viewer", channel, "7");
        sender.post(PATH, &json!(n)).await.ok();
    }
    let page = server.user("broadcaster", "42", "42");
    assert_eq!(data(&page, READ).await, [json!(0), json!(2)]);
    let other = page.get(&format!("{READ}&channel_id=43")).await;
    other.forbidden("wrong channel");
    for role in ["admin", "backend"] {
        let all = server.trusted(role).get(READ).await.ok();
        let channels: Vec<_> = all["data"].as_array().unwrap().iter().collect();
        let seen: Vec<_> = channels
            .iter()
            .map(|entry| {
                (
                    entry["channel_id"].as_str().unwrap(),
                    entry["data"].as_u64(),
                )
            })
            .collect();
        let expected = [("42", 0), ("43", 1), ("42", 2), ("44", 3), ("43", 4)];
        assert_eq!(seen, expected.map(|(channel, n)| (channel, Some(n))));
        // Also where its token names a channel; the query alone narrows it down.
        let here = server.user(role, "42", "server");
        assert_eq!(data(&here, READ).await.len(), 5);
        let one = format!("{READ}&channel_id=43");
        assert_eq!(data(&here, &one).await, [json!(1), json!(4)]);
    }
    for role in ["viewer", "moderator"] {
        let refused = server.user(role, "42", "7").get(READ).await;
        refused.forbidden("requires role broadcaster");
    }
    let production = server.production_page("broadcaster", "42");
    assert_eq!(data(&production, READ).await, [] as [Value; 0]);
}

#[tokio::test]
async fn an_admin_sends_in_the_channel_it_names() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let refused = admin.post(PATH, &json!(1)).await;
    refused.refused(400, "channel_id is required");
    let there = format!("{PATH}&channel_id=42");
    admin.post(&there, &json!(1)).await.ok();
    let page = server.user("broadcaster", "42", "42");
    assert_eq!(data(&page, READ).await, [json!(1)]);
    let viewer = server.user("viewer", "43", "7");
    viewer
        .post(&there, &json!(2))
        .await
        .forbidden("wrong channel");
}

#[tokio::test]
async fn an_id_that_starts_with_global_is_the_extensions() {
    let server = Server::start().await;
    let path = "/v1/e/accumulate?id=global-wishes";
    let read = &format!("{path}&start=0");
    for channel in ["42", "43"] {
        let sender = server.user("viewer", channel, "7");
        sender.post(path, &json!(channel)).await.ok();
    }
    server
        .trusted("backend")
        .post(path, &json!("none"))
        .await
        .ok();
    for page in [
        server.user("broadcaster", "42", "42"),
        server.user("broadcaster", OWNER, OWNER),
        server.trusted("admin"),
    ] {
        let read = page.get(read).await.ok();
        let channels: Vec<_> = read["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["channel_id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(channels, ["42", "43", ""]);
    }
    let viewer = server.user("viewer", "42", "7");
    viewer
        .get(read)
        .await
        .forbidden("requires role broadcaster");
}

#[tokio::test]
async fn start_must_be_a_number_and_limit_one_from_1_on() {
    let server = Server::start().await;
    let page = server.user("broadcaster", "42", "42");
    for start in ["", "&start=", "&start=soon", "&start=1.5", "&start=1e3"] {
        let refused = page.get(&format!("{PATH}{start}")).await;
        refused.refused(400, MALFORMED);
    }
    for limit in ["0", "-1", "many", ""] {
        let refused = page.get(&format!("{READ}&limit={limit}")).await;
        refused.refused(400, "limit must be a number from 1 on");
    }
    let refused = page.get("/v1/e/accumulate?id=a%0Ab&start=0").await;
    refused.refused(400, "id must be 1 to 64 characters, none of them a control");
    let empty = page.get(READ).await.ok();
    assert_eq!(empty, json!({ "data": [], "latest": 0 }));
    page.post("/v1/e/accumulate", &json!(1)).await.ok();
    for id in ["id=default&", "id=&", ""] {
        let path = format!("/v1/e/accumulate?{id}start=-1");
        assert_eq!(data(&page, &path).await, [json!(1)]);
    }
}

#[tokio::test]
async fn a_channels_values_go_together_24_h_after_the_last_of_them() {
    let server = Server::start().await;
    let held = server.store.held();
    let sender = server.user("viewer", "42", "7");
    let page = server.user("broadcaster", "42", "42");
    let admin = server.user("admin", "42", "server");
    sender.post(PATH, &json!(1)).await.ok();
    let other = server.user("viewer", "43", "7");
    other.post(PATH, &json!("other")).await.ok();
    server.advance_ms(DAY_MS - 1);
    sender.post(PATH, &json!(2)).await.ok();
    server.advance_ms(DAY_MS - 1);
    assert_eq!(data(&page, READ).await, [json!(1), json!(2)]);
    assert_eq!(
        data(&admin, READ).await.len(),
        2,
        "43 had its last long ago"
    );
    server.advance_ms(1);
    assert_eq!(data(&page, READ).await, [] as [Value; 0]);
    assert_eq!(data(&admin, READ).await, [] as [Value; 0]);
    sender.post(PATH, &json!(3)).await.ok();
    assert_eq!(
        data(&page, READ).await,
        [json!(3)],
        "the old ones stay away"
    );
    // Neither heads nor rows are left when all has gone.
    server.advance_ms(4 * DAY_MS);
    server
        .in_time("the rows are removed", || async {
            server.store.held() <= held
        })
        .await;
}

#[tokio::test]
async fn while_the_store_is_down_nothing_is_gathered() {
    let server = Server::start().await;
    let sender = server.user("viewer", "42", "7");
    server.store.set_down(true);
    assert_eq!(sender.post(PATH, &json!(1)).await.status, 500);
    server.store.set_down(false);
    sender.post(PATH, &json!(2)).await.ok();
    let page = server.user("broadcaster", "42", "42");
    assert_eq!(data(&page, READ).await, [json!(2)]);
}
