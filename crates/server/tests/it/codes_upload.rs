//! Uploads of codes (`spec 3.8`): a million in one call, all of them or none.

use crowdlink_store::Faults;
use http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crowdlink_server::listen::EdgeName;

use crate::codes::{mark, put};
use crate::harness::{Http, Server, eventually};

const PATH: &str = "/v1/e/codes";
const HOUR_MS: u64 = 60 * 60 * 1_000;

async fn names(admin: &Http) -> Value {
    admin.get(PATH).await.ok()["names"].clone()
}

/// Every code of a prize, in the order in which they go out.
async fn take_all(server: &Server, admin: &Http, prize: usize) -> Vec<String> {
    let page = server.user("viewer", "42", "taker");
    mark(admin, prize, 10_000, &["taker"]).await;
    let body = json!({ "prize": prize });
    loop {
        let answer = page.post("/v1/e/codes/redeem", &body).await;
        if answer.status == 409 {
            let held = page.get("/v1/e/codes/redeemed").await.ok();
            return serde_json::from_value(held["redeemed"][prize].clone()).unwrap();
        }
        answer.ok();
    }
}

#[tokio::test]
async fn a_million_codes_come_in_one_call() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let list = |count: usize, letter: char| {
        let codes: Vec<String> = (0..count)
            .map(|n| format!("\"{letter}-{n:030}\""))
            .collect();
        codes.join(",")
    };
    let body = format!(
        r#"{{"codes":[[{}],[{}]],"names":["many","few"]}}"#,
        list(999_999, 'M'),
        list(1, 'F')
    );
    assert!(body.len() > 30 * 1024 * 1024);
    admin.send(Method::PUT, PATH, body).await.ok();
    assert_eq!(names(&admin).await, json!(["many", "few"]));
    mark(&admin, 0, 3, &["1"]).await;
    let page = server.user("viewer", "42", "1");
    for n in 0..3 {
        let code = page
            .post("/v1/e/codes/redeem", &json!({ "prize": 0 }))
            .await;
        assert_eq!(code.ok()["code"], format!("M-{n:030}"));
    }
    // The set is full.
    let more = put(
        &admin,
        &json!({ "codes": [["one too many"]], "names": ["many"] }),
    )
    .await;
    more.refused(400, "codes must be at most 999999 in a set");
}

#[tokio::test]
async fn an_upload_has_a_limit_of_its_own_and_is_read_of_trusted_roles_alone() {
    const BYTES_MAX: usize = 2 * 1024 * 1024;
    let server = Server::start_with(|settings| {
        settings.limits.codes_body_bytes_max = BYTES_MAX;
    })
    .await;
    let admin = server.trusted("admin");
    let sized = |bytes: usize| {
        let body = r#"{"codes":[["A"]],"names":["n"],"pad":""}"#;
        body.replace(
            "\"pad\":\"",
            &format!("\"pad\":\"{}", "x".repeat(bytes - body.len())),
        )
    };
    assert_eq!(sized(BYTES_MAX).len(), BYTES_MAX);
    admin.send(Method::PUT, PATH, sized(BYTES_MAX)).await.ok();
    let over = admin.send(Method::PUT, PATH, sized(BYTES_MAX + 1)).await;
    over.refused(413, &format!("The request body is over {BYTES_MAX} bytes"));
    let viewer = server.user("viewer", "42", "1");
    let refused = viewer.send(Method::PUT, PATH, sized(BYTES_MAX + 1)).await;
    refused.forbidden("requires role admin or backend");
    // No other route takes as much.
    let marks = "/v1/e/codes/mark_from_list";
    let refused = admin.send(Method::POST, marks, sized(BYTES_MAX)).await;
    refused.refused(413, "The request body is over 1048576 bytes");
}

#[tokio::test]
async fn bad_uploads_are_refused_and_change_nothing() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    put(&admin, &json!({ "codes": [["A"]], "names": ["a"] }))
        .await
        .ok();
    let eleven = vec![json!(["A"]); 11];
    let refusals = [
        (json!({}), "names must be one for each set of codes"),
        (
            json!({ "codes": [["B"]] }),
            "names must be one for each set of codes",
        ),
        (
            json!({ "codes": [["B"]], "names": ["b", "c"] }),
            "names must be one for each set of codes",
        ),
        (
            json!({ "codes": [["B"]], "names": ["b"], "indices": [] }),
            "indices must be one for each set of codes",
        ),
        (
            json!({ "codes": [["B"]], "names": ["b"], "indices": [10] }),
            "indices must be an index from 0 to 9",
        ),
        (
            json!({ "codes": [["B"], ["C"]], "names": ["b", "c"], "indices": [1, 1] }),
            "indices must name each prize once",
        ),
        (
            json!({ "codes": [["B"], ["C"]], "names": ["b", "b"] }),
            "names must be different for each prize",
        ),
        (
            json!({ "codes": [["B"]], "names": ["a"], "indices": [1] }),
            "names must be different for each prize",
        ),
        (
            json!({ "codes": [["B"]], "names": [""] }),
            "names must have 1 to 256 bytes, no control character",
        ),
        (
            json!({ "codes": [["B"]], "names": ["x".repeat(257)] }),
            "names must have 1 to 256 bytes, no control character",
        ),
    ];
    for (body, reason) in refusals {
        put(&admin, &body).await.refused(400, reason);
    }
    for body in [
        json!({ "codes": eleven, "names": ["b"] }),
        json!({ "codes": [["B", "x".repeat(64)]], "names": ["b"] }),
        json!({ "codes": [["B", ""]], "names": ["b"] }),
        json!({ "codes": [["B", 1]], "names": ["b"] }),
        json!({ "codes": ["B"], "names": ["b"] }),
        json!([["B"]]),
    ] {
        let refused = put(&admin, &body).await;
        assert_eq!(refused.status, 400, "{body}");
        let reason = refused.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with("body is refused: "), "{reason}");
    }
    assert_eq!(names(&admin).await, json!(["a"]));
    assert_eq!(take_all(&server, &admin, 0).await, ["A"]);
}

#[tokio::test]
async fn the_same_name_extends_a_set_and_an_index_renames_it() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let upload = async |body: Value| put(&admin, &body).await.ok();
    upload(json!({ "codes": [["A1"], ["B1"]], "names": ["a", "b"] })).await;
    // By its name, wherever it stands; codes that are there are not added again.
    upload(json!({ "codes": [["B1", "B2", "B2", "B3"]], "names": ["b"] })).await;
    assert_eq!(names(&admin).await, json!(["a", "b"]));
    assert_eq!(take_all(&server, &admin, 1).await, ["B1", "B2", "B3"]);
    // By its index, with another name; what users hold stays.
    upload(json!({ "codes": [["B4"]], "names": ["bee"], "indices": [1] })).await;
    assert_eq!(names(&admin).await, json!(["a", "bee"]));
    assert_eq!(take_all(&server, &admin, 1).await, ["B1", "B2", "B3", "B4"]);
    // A new name stands at its place in the call.
    upload(json!({ "codes": [["A2"]], "names": ["ay"] })).await;
    assert_eq!(names(&admin).await, json!(["ay", "bee"]));
    assert_eq!(take_all(&server, &admin, 0).await, ["A1", "A2"]);
    // Names may change places in one call.
    let swap = json!({ "codes": [[], ["A3"]], "names": ["bee", "ay"], "indices": [0, 1] });
    upload(swap).await;
    assert_eq!(names(&admin).await, json!(["bee", "ay"]));
    assert_eq!(take_all(&server, &admin, 1).await.len(), 5);
    upload(json!({ "codes": [["J1"]], "names": ["last"], "indices": [9] })).await;
    assert_eq!(names(&admin).await.as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn a_set_takes_a_bounded_number_of_uploads() {
    let server = Server::start_with(|settings| {
        settings.rates.rest_requests_burst_max = 100_000;
    })
    .await;
    let admin = server.trusted("admin");
    for n in 0..500 {
        let body = json!({ "codes": [[format!("A{n}")]], "names": ["a"] });
        put(&admin, &body).await.ok();
    }
    let refused = put(&admin, &json!({ "codes": [["B"]], "names": ["a"] })).await;
    refused.refused(400, "codes must come in at most 500 uploads a set");
    assert_eq!(take_all(&server, &admin, 0).await.len(), 500);
}

#[tokio::test]
async fn an_upload_that_fails_in_the_middle_leaves_nothing_behind() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    put(&admin, &json!({ "codes": [["A"]], "names": ["a"] }))
        .await
        .ok();
    let (held, commits) = (server.store.held(), server.store.commits());
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 5,
        ..Faults::default()
    });
    let codes: Vec<String> = (0..60_000).map(|n| format!("B{n}")).collect();
    let body = json!({ "codes": [["A2"], codes], "names": ["a", "b"] });
    let cut = async {
        while server.store.commits() < commits + 6 {
            tokio::task::yield_now().await;
        }
        server.store.set_down(true);
    };
    let (answer, ()) = tokio::join!(put(&admin, &body), cut);
    assert_eq!(answer.status, 500);
    server.store.set_down(false);
    server.store.set_faults(Faults::default());
    assert!(server.store.held() > held + 40, "rows were written");
    assert_eq!(names(&admin).await, json!(["a"]));
    server.advance_ms(HOUR_MS);
    server
        .in_time("the rows are removed", || async {
            server.store.held() <= held
        })
        .await;
    let admin = server.user("admin", "42", "server");
    put(&admin, &body).await.ok();
    assert_eq!(names(&admin).await, json!(["a", "b"]));
    assert_eq!(take_all(&server, &admin, 0).await, ["A", "A2"]);
}

#[tokio::test]
async fn uploads_to_one_set_at_once_both_count() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    server.store.set_faults(Faults {
        delay_per_mille: 1_000,
        yields_max: 20,
        ..Faults::default()
    });
    let one = json!({ "codes": [["A", "B"]], "names": ["n"] });
    let other = json!({ "codes": [["B", "C"]], "names": ["n"] });
    let (one, other) = tokio::join!(put(&admin, &one), put(&admin, &other));
    one.ok();
    other.ok();
    let mut codes = take_all(&server, &admin, 0).await;
    codes.sort();
    assert_eq!(codes, ["A", "B", "C"]);
}

#[tokio::test]
async fn two_uploads_are_taken_at_a_time() {
    let server = Server::start().await;
    let admin = server.trusted("admin");
    let token = crate::harness::user_token("admin", "42", "server");
    let address = server.address(EdgeName::SandboxRest);
    let mut under_way = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let extension = crate::harness::EXTENSION;
        let head = format!(
            "PUT {PATH} HTTP/1.1\r\nhost: test\r\nauthorization: {extension} {token}\r\n\
             content-length: 100\r\n\r\n{{"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        under_way.push(stream);
    }
    let body = json!({ "codes": [["A"]], "names": ["n"] });
    eventually("the third is told to come again", || async {
        let answer = put(&admin, &body).await;
        if answer.status != 429 {
            return false;
        }
        answer.refused(429, "Too many requests");
        true
    })
    .await;
    drop(under_way);
    eventually("their places are free again", || async {
        put(&admin, &body).await.status == 200
    })
    .await;
}
