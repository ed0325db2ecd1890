//! `authtoken`: test tokens of the sandbox (`spec 1.5`, `spec 4.6`).

use crowdlink_core::registry::{self, AddExtension};
use crowdlink_protocol::{ClientId, Stage};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, EXTENSION, SECRET, START_MS, Server, payload};

const PATH: &str = "/v1/e/authtoken";
const NO_EXTENSION: &str = "No such extension found";

async fn ask(server: &Server, body: Value) -> Answer {
    server.sandbox().post(PATH, &body).await
}

/// The claims of the one token that a request gets.
async fn claims_of(server: &Server, body: Value) -> Value {
    let answer = ask(server, body).await.ok();
    payload(answer["token"].as_str().unwrap())
}

/// The claims of each of several tokens.
async fn all_claims_of(server: &Server, body: Value) -> Vec<Value> {
    let answer = ask(server, body).await.ok();
    let tokens = answer["tokens"].as_array().unwrap().clone();
    tokens
        .iter()
        .map(|t| payload(t.as_str().unwrap()))
        .collect()
}

#[tokio::test]
async fn a_test_token_says_who_where_and_until_when() {
    let server = Server::start().await;
    let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7", "role": "viewer" });
    let answer = ask(&server, body).await.ok();
    let jwt = answer["token"].as_str().unwrap();
    let claims = payload(jwt);
    let now_s = START_MS / 1_000;
    assert_eq!(claims["iat"], now_s);
    assert_eq!(claims["exp"], now_s + 24 * 3_600);
    assert!(claims["iss"].is_string());
    for (name, value) in [
        ("allowed_stage", "sandbox"),
        ("app_id", EXTENSION),
        ("channel_id", "42"),
        ("user_id", "7"),
        ("opaque_user_id", "U7"),
        ("role", "viewer"),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    let page = server.sandbox().with(EXTENSION, jwt);
    server.advance_ms(24 * 3_600_000 + 29_999);
    page.get("/v1/e/user_info").await.ok();
    server.advance_ms(1);
    let refused = page.get("/v1/e/user_info").await;
    assert_eq!(
        refused.refused(401, "Authorization token is invalid"),
        "expired"
    );
}

#[tokio::test]
async fn production_has_no_test_tokens() {
    let server = Server::start().await;
    let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7" });
    let answer = server.rest(Stage::Production).post(PATH, &body).await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.json()["status"], 404);
}

#[tokio::test]
async fn the_extension_has_two_names_in_the_body() {
    let server = Server::start().await;
    let body = json!({ "extension_id": EXTENSION, "channel_id": "42", "user_id": "7" });
    assert_eq!(claims_of(&server, body).await["app_id"], EXTENSION);
}

#[tokio::test]
async fn numbers_are_as_good_as_texts() {
    let server = Server::start().await;
    let body = json!({ "app_id": EXTENSION, "channel_id": 42, "user_id": 7 });
    let claims = claims_of(&server, body).await;
    assert_eq!(
        (&claims["channel_id"], &claims["user_id"]),
        (&json!("42"), &json!("7"))
    );
    let body = json!({ "app_id": EXTENSION, "channel_id": 42, "user_ids": [1, "2"] });
    let ids: Vec<_> = all_claims_of(&server, body).await;
    assert_eq!(
        (&ids[0]["user_id"], &ids[1]["user_id"]),
        (&json!("1"), &json!("2"))
    );
}

#[tokio::test]
async fn several_users_get_several_tokens_in_the_order_asked() {
    let server = Server::start().await;
    for users in [json!(["3", "1", "2"]), json!("3, 1,2"), json!("3,1,,2,")] {
        let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_ids": users });
        let claims = all_claims_of(&server, body).await;
        let ids: Vec<_> = claims.iter().map(|c| c["opaque_user_id"].clone()).collect();
        assert_eq!(ids, ["U3", "U1", "U2"]);
    }
    let both = json!({
        "app_id": EXTENSION, "channel_id": "42", "user_id": "9", "user_ids": ["1"],
    });
    let claims = all_claims_of(&server, both).await;
    let ids: Vec<_> = claims.iter().map(|c| c["user_id"].clone()).collect();
    assert_eq!(ids, ["9", "1"]);
    for one in [json!(["5"]), json!("5"), json!(5)] {
        let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_ids": one });
        assert_eq!(claims_of(&server, body).await["user_id"], "5");
    }
}

#[tokio::test]
async fn a_thousand_users_at_once_and_not_one_more() {
    let server = Server::start().await;
    let body = |count: u32| {
        let ids: Vec<_> = (0..count).map(|n| n.to_string()).collect();
        json!({ "app_id": EXTENSION, "channel_id": "42", "user_ids": ids })
    };
    let claims = all_claims_of(&server, body(1_000)).await;
    assert_eq!(
        (claims.len(), &claims[999]["user_id"]),
        (1_000, &json!("999"))
    );
    let answer = ask(&server, body(1_001)).await;
    answer.refused(400, "user_ids must be at most 1000 ids");
}

#[tokio::test]
async fn without_a_user_the_token_is_anonymous() {
    let server = Server::start().await;
    for body in [
        json!({ "app_id": EXTENSION, "channel_id": "42" }),
        json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "", "user_ids": [] }),
        json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": null, "user_ids": "" }),
    ] {
        let claims = claims_of(&server, body.clone()).await;
        let opaque = claims["opaque_user_id"].as_str().unwrap();
        assert!(opaque.starts_with('A') && opaque.len() > 8, "{opaque}");
        assert_eq!(claims.get("user_id"), None, "{body}");
        assert_eq!(claims["role"], "viewer");
    }
}

#[tokio::test]
async fn a_broadcaster_is_its_channels_user() {
    let server = Server::start().await;
    let body =
        json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7", "role": "broadcaster" });
    let claims = claims_of(&server, body).await;
    assert_eq!(
        (&claims["user_id"], &claims["opaque_user_id"]),
        (&json!("42"), &json!("U42"))
    );
    let body = json!({ "app_id": EXTENSION, "channel_id": "42", "role": "broadcaster" });
    assert_eq!(claims_of(&server, body).await["user_id"], "42");
}

#[tokio::test]
async fn the_query_may_name_the_role_and_the_body_wins() {
    let server = Server::start().await;
    let ask = |path: &'static str, body: Value| {
        let http = server.sandbox();
        async move { http.post(path, &body).await }
    };
    let role = |answer: Answer| payload(answer.ok()["token"].as_str().unwrap())["role"].clone();
    let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7" });
    let mut said = body.clone();
    said["role"] = json!("viewer");
    let path = "/v1/e/authtoken?role=admin";
    assert_eq!(role(ask(path, body.clone()).await), "admin");
    assert_eq!(role(ask(path, said).await), "viewer");
    assert_eq!(
        role(ask("/v1/e/authtoken?role=", body.clone()).await),
        "viewer"
    );
    assert_eq!(
        role(ask("/v1/e/authtoken?role=b%61ckend", body.clone()).await),
        "backend"
    );
    for path in ["/v1/e/authtoken?role=king", "/v1/e/authtoken?role=a&role=b"] {
        let answer = ask(path, body.clone()).await;
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.json()["status"], 400);
    }
}

#[tokio::test]
async fn an_unknown_extension_or_a_wrong_shape_is_refused() {
    let server = Server::start().await;
    for id in [
        json!("nobody"),
        json!(12),
        json!("a b"),
        json!("x".repeat(101)),
    ] {
        let body = json!({ "app_id": id, "channel_id": "42", "user_id": "7" });
        ask(&server, body).await.refused(400, NO_EXTENSION);
    }
    for (field, value) in [
        ("app_id", json!(["x"])),
        ("channel_id", json!({})),
        ("user_id", json!(true)),
        ("user_ids", json!([["1"]])),
        ("user_ids", json!({ "a": "b" })),
        ("role", json!("king")),
        ("role", json!(["viewer"])),
        ("user_id", json!("x".repeat(1_000))),
        ("channel_id", json!("9".repeat(1_000))),
    ] {
        let mut body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7" });
        body[field] = value;
        let answer = ask(&server, body).await;
        assert_eq!(answer.status, 400, "{field}");
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with(field), "{reason}");
    }
    for body in [
        json!([EXTENSION]),
        json!([]),
        json!("x"),
        json!(1),
        json!(null),
    ] {
        let answer = ask(&server, body.clone()).await;
        assert_eq!(answer.status, 400, "{body}");
    }
}

#[tokio::test]
async fn every_id_reaches_browsers_that_decode_with_plain_base64() {
    let server = Server::start().await;
    let ids = ["7", "Ωµ✓>?~", "日本語", "😀😀", "\"\\", "ÿþ??>>~~"];
    for (index, id) in ids.iter().enumerate() {
        for pad in 0..3 {
            let channel = format!("{}{}", "c".repeat(pad), ids[ids.len() - 1 - index]);
            let body = json!({ "app_id": EXTENSION, "channel_id": channel, "user_id": id });
            let claims = claims_of(&server, body).await;
            assert_eq!(
                (&claims["user_id"], &claims["channel_id"]),
                (&json!(id), &json!(channel))
            );
        }
    }
}

#[tokio::test]
async fn the_bodies_of_browsers_are_read_whatever_they_say_they_are() {
    let server = Server::start().await;
    let text = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7" }).to_string();
    for kind in [
        "application/x-www-form-urlencoded",
        "text/plain",
        "image/png",
    ] {
        let page = server.sandbox().header("content-type", kind);
        page.send(Method::POST, PATH, text.clone()).await.ok();
        let twice = json!(text).to_string();
        page.send(Method::POST, PATH, twice).await.ok();
    }
}

#[tokio::test]
async fn a_renewal_without_app_id_gets_the_extension_asked_for_last() {
    let server = Server::start().await;
    server.register("second", "901", &[SECRET]).await;
    let renew = |channel: &str, user: &str| json!({ "channel_id": channel, "user_id": user });
    ask(&server, renew("42", "7"))
        .await
        .refused(400, NO_EXTENSION);
    for id in [EXTENSION, "second"] {
        let body = json!({ "app_id": id, "channel_id": "42", "user_id": "7" });
        ask(&server, body).await.ok();
        assert_eq!(claims_of(&server, renew("42", "7")).await["app_id"], id);
    }
    // Another channel, another user: nobody knows.
    ask(&server, renew("43", "7"))
        .await
        .refused(400, NO_EXTENSION);
    ask(&server, renew("42", "8"))
        .await
        .refused(400, NO_EXTENSION);
    // Each renewal is an asking of its own, so that a page lives as long as it likes.
    for _ in 0..5 {
        server.advance_ms(25 * 60_000);
        assert_eq!(
            claims_of(&server, renew("42", "7")).await["app_id"],
            "second"
        );
    }
    server.advance_ms(60 * 60_000);
    ask(&server, renew("42", "7"))
        .await
        .refused(400, NO_EXTENSION);
}

#[tokio::test]
async fn another_address_does_not_inherit_a_renewal() {
    let server = Server::start_with(|settings| {
        settings.proxy.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    server.register("second", "901", &[SECRET]).await;
    let at = |address| server.sandbox().header("x-forwarded-for", address);
    let body = json!({ "app_id": "second", "channel_id": "42", "user_id": "7" });
    at("192.0.2.1").post(PATH, &body).await.ok();
    let renewal = json!({ "channel_id": "42", "user_id": "7" });
    at("192.0.2.2")
        .post(PATH, &renewal)
        .await
        .refused(400, NO_EXTENSION);
    at("192.0.2.1").post(PATH, &renewal).await.ok();
}

#[tokio::test]
async fn the_only_extension_needs_no_name() {
    let server = Server::start().await;
    let body = json!({ "channel_id": "42", "user_id": "7" });
    assert_eq!(claims_of(&server, body).await["app_id"], EXTENSION);
}

#[tokio::test]
async fn a_development_server_registers_whom_it_does_not_know_in_the_sandbox_only() {
    let server = Server::start_dev().await;
    let body =
        json!({ "app_id": "brand new".replace(' ', "-"), "channel_id": "42", "user_id": "7" });
    let claims = claims_of(&server, body).await;
    assert_eq!(claims["app_id"], "brand-new");
    let open = server.rest(Stage::Production);
    open.post("/v1/e/pin", &json!({ "identifier": "brand-new" }))
        .await
        .refused(400, NO_EXTENSION);
    open.post("/v1/e/pin", &json!({ "identifier": "never-seen" }))
        .await
        .refused(400, NO_EXTENSION);
    // A hundred characters of any script are a client id.
    let long = "日".repeat(100);
    let body = json!({ "app_id": long, "channel_id": "42", "user_id": "7" });
    assert_eq!(claims_of(&server, body).await["app_id"], long);
    let body = json!({ "app_id": "😀".repeat(100), "channel_id": "42", "user_id": "7" });
    claims_of(&server, body).await;
}

#[tokio::test]
async fn a_development_server_registers_a_thousand_at_most() {
    let server = Server::start_dev().await;
    for n in 0..999 {
        let request = AddExtension {
            client_id: ClientId::new(&format!("new-{n}")).unwrap(),
            owner: String::new(),
            name: None,
            secrets: Vec::new(),
            sandbox_takes_platform_tokens: false,
            auto_registered: true,
        };
        registry::add(server.app.core.world(), request)
            .await
            .unwrap();
    }
    server.app.core.reload().await.unwrap();
    let body = |id: &str| json!({ "app_id": id, "channel_id": "42", "user_id": "7" });
    ask(&server, body("the-last")).await.ok();
    let answer = ask(&server, body("one-more")).await;
    answer.refused(400, NO_EXTENSION);
    ask(&server, body("new-0")).await.ok();
}
