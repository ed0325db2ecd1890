//! Codes (`spec 3.8`): who uploads, marks and redeems, and what each is told.

use crowdlink_protocol::Stage;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Http, OWNER, Server, claims};

const PATH: &str = "/v1/e/codes";
const MARK: &str = "/v1/e/codes/mark_from_list";
const REDEEM: &str = "/v1/e/codes/redeem";
const DAYS_90_MS: u64 = 90 * 24 * 60 * 60 * 1_000;

pub async fn put(page: &Http, body: &Value) -> Answer {
    page.send(Method::PUT, PATH, body.to_string()).await
}

pub async fn mark(admin: &Http, prize: usize, limit: u32, users: &[&str]) {
    let body = json!({ "prizes": [prize], "prize_limits": [limit], "users": users });
    let marked = admin.post(MARK, &body).await.ok();
    assert_eq!(marked, json!({ "marked": users.len() }));
}

async fn names(admin: &Http) -> Value {
    admin.get(PATH).await.ok()["names"].clone()
}

async fn eligible(page: &Http) -> Vec<u64> {
    let read = page.get("/v1/e/codes/eligible").await.ok();
    let alias = page.get("/v1/e/codes/eligibility").await.ok();
    assert_eq!(read, alias);
    let counts = read["eligible"].as_array().unwrap();
    assert_eq!(counts.len(), 10);
    counts.iter().map(|n| n.as_u64().unwrap()).collect()
}

async fn redeemed(page: &Http, prize: usize) -> Value {
    let read = page.get("/v1/e/codes/redeemed").await.ok();
    assert_eq!(read["redeemed"].as_array().unwrap().len(), 10);
    read["redeemed"][prize].clone()
}

async fn redeem(page: &Http, prize: usize) -> Answer {
    page.post(REDEEM, &json!({ "all_prizes": prize })).await
}

#[tokio::test]
async fn marked_users_redeem_codes_in_their_order_up_to_their_limit() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    assert_eq!(admin.get(PATH).await.ok(), json!({ "names": [] }));
    let body = json!({ "codes": [["G1", "G2", "G3"], ["S1"]], "names": ["gold", "silver"] });
    assert_eq!(put(&admin, &body).await.ok(), json!({}));
    assert_eq!(names(&admin).await, json!(["gold", "silver"]));
    let (ann, bob) = (
        server.user("viewer", "42", "1"),
        server.user("viewer", "43", "2"),
    );
    assert_eq!(eligible(&ann).await, [0; 10]);
    redeem(&ann, 0).await.refused(403, "not eligible");
    let marks = json!({ "prizes": [0, 1], "prize_limits": [2, 1], "users": ["1", "2", "1"] });
    assert_eq!(admin.post(MARK, &marks).await.ok(), json!({ "marked": 2 }));
    assert_eq!(eligible(&ann).await[..3], [2, 1, 0]);
    assert_eq!(redeemed(&ann, 0).await, json!([]));
    let first = redeem(&ann, 0).await.ok();
    assert_eq!(first, json!({ "code": "G1", "all_prizes": ["G1"] }));
    let other = bob.post(REDEEM, &json!({ "prize": 0 })).await.ok();
    assert_eq!(other, json!({ "code": "G2", "all_prizes": ["G2"] }));
    let second = redeem(&ann, 0).await.ok();
    assert_eq!(second, json!({ "code": "G3", "all_prizes": ["G1", "G3"] }));
    redeem(&ann, 0).await.refused(403, "not eligible");
    redeem(&bob, 0).await.refused(409, "no codes left");
    assert_eq!(eligible(&ann).await[..2], [0, 1]);
    assert_eq!(eligible(&bob).await[..2], [1, 1]);
    redeem(&bob, 1).await.ok();
    assert_eq!(redeemed(&ann, 0).await, json!(["G1", "G3"]));
    assert_eq!(redeemed(&bob, 1).await, json!(["S1"]));
    redeem(&ann, 1).await.refused(409, "no codes left");
    redeem(&ann, 9).await.refused(403, "not eligible");
    let removed = admin.delete(PATH).await.ok();
    assert_eq!(removed, json!({ "distributed": [3, 1] }));
    assert_eq!(admin.get(PATH).await.ok(), json!({ "names": [] }));
    assert_eq!(redeemed(&ann, 0).await, json!([]));
    assert_eq!(eligible(&bob).await, [0; 10]);
    assert_eq!(admin.delete(PATH).await.ok(), json!({ "distributed": [] }));
}

#[tokio::test]
async fn only_trusted_roles_upload_read_remove_and_mark() {
    let server = Server::start().await;
    let body = json!({ "codes": [["A"]], "names": ["a"] });
    let marks = json!({ "prizes": [0], "prize_limits": [1], "users": ["1"] });
    let why = "requires role admin or backend";
    for page in [
        server.user("viewer", "42", "1"),
        server.user("broadcaster", OWNER, OWNER),
    ] {
        put(&page, &body).await.forbidden(why);
        page.get(PATH).await.forbidden(why);
        page.delete(PATH).await.forbidden(why);
        page.post(MARK, &marks).await.forbidden(why);
    }
    let backend = server.trusted("backend");
    put(&backend, &body).await.ok();
    backend.post(MARK, &marks).await.ok();
    assert_eq!(names(&backend).await, json!(["a"]));
    // The other stage is another world.
    let there = claims("backend", "42");
    let there = server.signed(Stage::Production, &there);
    assert_eq!(names(&there).await, json!([]));
}

#[tokio::test]
async fn codes_need_a_shared_user_id() {
    let server = Server::start().await;
    let mut claims = claims("viewer", "42");
    claims["allowed_stage"] = json!("sandbox");
    let page = server.signed(Stage::Sandbox, &claims);
    let reason = "requires a shared user id";
    for path in ["eligible", "eligibility", "redeemed"] {
        let refused = page.get(&format!("{PATH}/{path}")).await;
        refused.refused(403, reason);
    }
    redeem(&page, 0).await.refused(403, reason);
}

#[tokio::test]
async fn a_redemption_names_one_prize() {
    let server = Server::start().await;
    let page = server.user("viewer", "42", "1");
    let refusals = [
        (json!({}), "prize is required"),
        (json!([]), "prize is required"),
        (json!({ "prize": 10 }), "prize must be an index from 0 to 9"),
        (
            json!({ "all_prizes": -1 }),
            "prize must be an index from 0 to 9",
        ),
        (
            json!({ "prize": "0" }),
            "prize must be an index from 0 to 9",
        ),
    ];
    for (body, reason) in refusals {
        page.post(REDEEM, &body).await.refused(400, reason);
    }
}

#[tokio::test]
async fn a_limit_is_of_all_codes_a_user_holds_and_may_be_set_again() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    put(
        &admin,
        &json!({ "codes": [["A", "B", "C"]], "names": ["n"] }),
    )
    .await
    .ok();
    let page = server.user("viewer", "42", "1");
    mark(&admin, 0, 1, &["1"]).await;
    redeem(&page, 0).await.ok();
    mark(&admin, 0, 1, &["1"]).await;
    redeem(&page, 0).await.refused(403, "not eligible");
    mark(&admin, 0, 3, &["1"]).await;
    assert_eq!(eligible(&page).await[0], 2);
    redeem(&page, 0).await.ok();
    mark(&admin, 0, 0, &["1"]).await;
    assert_eq!(eligible(&page).await[0], 0);
    redeem(&page, 0).await.refused(403, "not eligible");
    assert_eq!(redeemed(&page, 0).await, json!(["A", "B"]));
}

#[tokio::test]
async fn bad_marks_are_refused_and_mark_nobody() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    put(&admin, &json!({ "codes": [["A"]], "names": ["n"] }))
        .await
        .ok();
    let marks = |prizes: Value, limits: Value, users: Value| json!({ "prizes": prizes, "prize_limits": limits, "users": users });
    let one = || json!([1]);
    let refusals = [
        (json!({}), "prizes must be a list"),
        (
            marks(json!([10]), one(), json!(["1"])),
            "prizes must be an index from 0 to 9",
        ),
        (
            marks(json!(["0"]), one(), json!(["1"])),
            "prizes must be a list of indices",
        ),
        (
            marks(json!([1]), one(), json!(["1"])),
            "prizes must name sets that are there",
        ),
        (
            marks(json!([0, 0]), json!([1, 1]), json!(["1"])),
            "prizes must name each prize once",
        ),
        (
            marks(json!([0]), json!([]), json!(["1"])),
            "prize_limits must be one for each of prizes",
        ),
        (
            marks(json!([]), json!([]), json!(["1"])),
            "prize_limits must be one for each of prizes",
        ),
        (
            marks(json!([0]), json!([-1]), json!(["1"])),
            "prize_limits must be a list of numbers",
        ),
        (
            marks(json!([0]), json!([10_001]), json!(["1"])),
            "prize_limits must be numbers up to 10000",
        ),
        (marks(json!([0]), one(), json!("1")), "users must be a list"),
        (
            marks(json!([0]), one(), json!(["1", 2])),
            "users must be a list of user ids",
        ),
        (
            marks(json!([0]), one(), json!(["1", ""])),
            "users must not be empty",
        ),
        (
            marks(json!([0]), one(), json!(["1", "x".repeat(97)])),
            "users must be at most 96 bytes without control characters",
        ),
        (
            marks(json!([3]), one(), json!([])),
            "prizes must name sets that are there",
        ),
    ];
    for (body, reason) in refusals {
        admin.post(MARK, &body).await.refused(400, reason);
    }
    assert_eq!(eligible(&server.user("viewer", "42", "1")).await, [0; 10]);
    let nobody = marks(json!([0]), one(), json!([]));
    assert_eq!(admin.post(MARK, &nobody).await.ok(), json!({ "marked": 0 }));
}

#[tokio::test]
async fn a_long_list_is_marked_to_its_end() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let codes = json!({ "codes": [["A"], ["B"], ["C"]], "names": ["a", "b", "c"] });
    put(&admin, &codes).await.ok();
    // Three marks each: more than one commit takes.
    let users: Vec<String> = (0..12_000).map(|n| n.to_string()).collect();
    let body = json!({ "prizes": [2, 0, 1], "prize_limits": [1, 2, 3], "users": users });
    let marked = admin.post(MARK, &body).await.ok();
    assert_eq!(marked, json!({ "marked": 12_000 }));
    for user in ["0", "3333", "11999"] {
        let page = server.user("viewer", "42", user);
        assert_eq!(eligible(&page).await[..4], [2, 3, 1, 0]);
    }
}

#[tokio::test]
async fn sets_are_gone_90_days_after_their_last_upload_with_all_that_hangs_on_them() {
    let server = Server::start().await;
    let held = server.store.held();
    // The token outlives the sets.
    let admin = server.user("admin", "42", "server");
    let page = server.user("viewer", "42", "1");
    put(&admin, &json!({ "codes": [["A"]], "names": ["a"] }))
        .await
        .ok();
    put(
        &admin,
        &json!({ "codes": [["B"]], "names": ["b"], "indices": [3] }),
    )
    .await
    .ok();
    mark(&admin, 0, 1, &["1"]).await;
    mark(&admin, 3, 2, &["1"]).await;
    redeem(&page, 3).await.ok();
    server.advance_ms(DAYS_90_MS - 1);
    put(&admin, &json!({ "codes": [["B2"]], "names": ["b"] }))
        .await
        .ok();
    assert_eq!(names(&admin).await, json!(["a", "", "", "b"]));
    server.advance_ms(1);
    assert_eq!(names(&admin).await, json!(["", "", "", "b"]));
    assert_eq!(eligible(&page).await[..4], [0, 0, 0, 1]);
    redeem(&page, 0).await.refused(403, "not eligible");
    let all = redeem(&page, 3).await.ok();
    assert_eq!(all, json!({ "code": "B2", "all_prizes": ["B", "B2"] }));
    // A removed set's rows stay while somebody may be told of them, then they go.
    let removed = admin.delete(PATH).await.ok();
    assert_eq!(removed, json!({ "distributed": [0, 0, 0, 2] }));
    server.advance_ms(2 * DAYS_90_MS);
    server
        .in_time("the rows are removed", || async {
            server.store.held() <= held
        })
        .await;
}
