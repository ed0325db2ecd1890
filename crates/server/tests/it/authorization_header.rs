//! Who is let in, and how a refusal reads (`spec 1.2`).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use crate::harness::{
    Answer, EXTENSION, Http, SECRET, START_MS, Server, claims, sign, sign_with_header,
};

const MALFORMED: &str = "Authorization header is missing or malformed";
const INVALID: &str = "Authorization token is invalid";
const OTHER: &str = "other-extension";
const OTHER_SECRET: &str = "YW5vdGhlciBzZWNyZXQgb2YgYW5vdGhlciBleHRlbnNpb24=";

async fn user_info(http: &Http) -> Answer {
    http.get("/v1/e/user_info").await
}

/// Production, with the test extension's id and any token.
fn with(server: &Server, jwt: &str) -> Http {
    server.rest(Stage::Production).with(EXTENSION, jwt)
}

/// Claims of a viewer with one thing changed.
fn changed(name: &str, value: Value) -> Value {
    let mut claims = claims("viewer", "42");
    claims[name] = value;
    claims
}

#[tokio::test]
async fn a_platform_token_is_let_in() {
    let server = Server::start().await;
    let page = server.signed(Stage::Production, &claims("viewer", "42"));
    assert_eq!(user_info(&page).await.ok()["opaque_user_id"], "U77");
}

#[tokio::test]
async fn a_header_that_is_not_two_parts_is_malformed() {
    let server = Server::start().await;
    let open = server.rest(Stage::Production);
    user_info(&open).await.refused(401, MALFORMED);
    let jwt = sign(&claims("viewer", "42"), SECRET);
    for header in [
        String::new(),
        EXTENSION.to_owned(),
        jwt.clone(),
        format!("{EXTENSION}  {jwt}"),
        format!("{EXTENSION}\t{jwt}"),
        format!("{EXTENSION} {jwt} more"),
        format!("{EXTENSION},{jwt}"),
    ] {
        let answer = user_info(&open.header("authorization", &header)).await;
        let info = answer.refused(401, MALFORMED);
        assert!(info.contains("<client id> <jwt>"), "{info}");
    }
    let twice = with(&server, &jwt).header("authorization", &format!("{EXTENSION} {jwt}"));
    user_info(&twice).await.refused(401, MALFORMED);
}

#[tokio::test]
async fn an_unknown_client_id_is_told_apart_from_a_bad_token() {
    let server = Server::start().await;
    let jwt = sign(&claims("viewer", "42"), SECRET);
    for id in [
        "nobody",
        "TEST-EXTENSION",
        &"x".repeat(100),
        &"x".repeat(101),
    ] {
        let page = server.rest(Stage::Production).with(id, &jwt);
        user_info(&page)
            .await
            .refused(401, "Extension is not registered");
    }
}

#[tokio::test]
async fn a_token_signed_by_somebody_else_is_refused() {
    let server = Server::start().await;
    server.register(OTHER, "901", &[OTHER_SECRET]).await;
    let good = sign(&claims("viewer", "42"), SECRET);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let (header, _) = signed.split_once('.').unwrap();
    let forged = URL_SAFE_NO_PAD.encode(claims("broadcaster", "42").to_string());
    for jwt in [
        sign(&claims("viewer", "42"), OTHER_SECRET),
        format!("{header}.{forged}.{signature}"),
        format!("{signed}."),
        format!("{signed}.{}", &signature[1..]),
    ] {
        let info = user_info(&with(&server, &jwt)).await.refused(401, INVALID);
        assert_eq!(info, "signature", "{jwt}");
    }
    let foreign = server.rest(Stage::Production).with(OTHER, &good);
    assert_eq!(user_info(&foreign).await.refused(401, INVALID), "signature");
}

#[tokio::test]
async fn only_hs256_and_known_keys_are_accepted() {
    let server = Server::start().await;
    let text = claims("viewer", "42").to_string();
    for header in [
        json!({ "alg": "none" }),
        json!({ "alg": "NONE" }),
        json!({ "alg": "hs256" }),
        json!({ "alg": "HS384" }),
        json!({ "alg": "HS512" }),
        json!({ "alg": "RS256" }),
        json!({ "alg": "ES256" }),
        json!({ "alg": null }),
        json!({ "typ": "JWT" }),
        json!({ "alg": "HS256", "kid": "unknown" }),
        json!({ "alg": "HS256", "kid": "" }),
        json!({ "alg": "HS256", "kid": 1 }),
    ] {
        let jwt = sign_with_header(&header, &text, SECRET);
        let info = user_info(&with(&server, &jwt)).await.refused(401, INVALID);
        assert_eq!(info, "signature", "{header}");
    }
    let unsigned = format!(
        "{}.{}.",
        URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#),
        URL_SAFE_NO_PAD.encode(&text)
    );
    user_info(&with(&server, &unsigned))
        .await
        .refused(401, INVALID);
}

#[tokio::test]
async fn a_token_that_is_not_well_formed_is_refused() {
    let server = Server::start().await;
    let header = json!({ "alg": "HS256" });
    let signed = |payload: &str| sign_with_header(&header, payload, SECRET);
    let exp = START_MS / 1_000 + 60;
    for jwt in [
        "x".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        format!("{}.x", sign(&claims("viewer", "42"), SECRET)),
        signed("no json"),
        signed("[]"),
        signed(&format!(
            r#"{{"exp":{exp},"exp":{exp},"role":"viewer","channel_id":"42","opaque_user_id":"U1"}}"#
        )),
        signed(&changed("exp", Value::Null).to_string()),
        signed(&changed("exp", json!("soon")).to_string()),
        signed(&changed("role", json!("king")).to_string()),
        signed(&changed("role", Value::Null).to_string()),
        signed(&changed("channel_id", json!("all")).to_string()),
        signed(&changed("channel_id", json!("")).to_string()),
        signed(&changed("opaque_user_id", json!("")).to_string()),
        signed(&changed("topic", json!("bits_transaction_receipt")).to_string()),
    ] {
        let info = user_info(&with(&server, &jwt)).await.refused(401, INVALID);
        assert!(!info.is_empty() && info != "expired", "{info}: {jwt}");
    }
}

#[tokio::test]
async fn a_token_over_4_kib_is_refused_unread() {
    let server = Server::start().await;
    let of = |pad: usize| sign(&changed("pad", json!("x".repeat(pad))), SECRET);
    let spare = (4_096 - of(0).len()) * 3 / 4;
    let longest = of(spare - 1);
    assert!(longest.len() > 4_092 && longest.len() <= 4_096);
    user_info(&with(&server, &longest)).await.ok();
    let longer = of(spare + 3);
    assert!(longer.len() > 4_096);
    user_info(&with(&server, &longer))
        .await
        .refused(401, INVALID);
}

#[tokio::test]
async fn a_token_ends_30_s_after_its_expiry_also_where_it_was_in_use() {
    let server = Server::start().await;
    let exp = START_MS / 1_000 + 10;
    let page = server.signed(Stage::Production, &changed("exp", json!(exp)));
    assert_eq!(user_info(&page).await.ok()["expires_at"], exp * 1_000);
    server.advance_ms(39_999);
    user_info(&page).await.ok();
    server.advance_ms(1);
    assert_eq!(user_info(&page).await.refused(401, INVALID), "expired");
}

#[tokio::test]
async fn a_token_from_the_future_is_refused_until_30_s_before_it() {
    let server = Server::start().await;
    for claim in ["nbf", "iat"] {
        let now_s = server.clock_ms() / 1_000;
        let page = server.signed(Stage::Production, &changed(claim, json!(now_s + 31)));
        assert_eq!(
            user_info(&page).await.refused(401, INVALID),
            "not yet valid"
        );
        server.advance_ms(1_000);
        user_info(&page).await.ok();
    }
}

#[tokio::test]
async fn a_bearer_token_names_its_extension_itself() {
    let server = Server::start().await;
    server.register(OTHER, "901", &[OTHER_SECRET]).await;
    let bearer = |stage, word: &str, jwt: &str| {
        server
            .rest(stage)
            .header("authorization", &format!("{word} {jwt}"))
    };
    let production = Stage::Production;
    let named = changed("app_id", json!(EXTENSION));
    for word in ["Bearer", "bearer", "BEARER"] {
        let page = bearer(production, word, &sign(&named, SECRET));
        assert_eq!(user_info(&page).await.ok()["app_id"], EXTENSION);
    }
    let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7" });
    let answer = server.sandbox().post("/v1/e/authtoken", &body).await.ok();
    let ours = answer["token"].as_str().unwrap();
    user_info(&bearer(Stage::Sandbox, "Bearer", ours))
        .await
        .ok();

    let nameless = sign(&claims("viewer", "42"), SECRET);
    user_info(&bearer(production, "Bearer", &nameless))
        .await
        .refused(401, INVALID);
    let stolen = sign(&changed("app_id", json!(OTHER)), SECRET);
    let refused = user_info(&bearer(production, "Bearer", &stolen)).await;
    assert_eq!(refused.refused(401, INVALID), "signature");
    let unknown = sign(&changed("app_id", json!("nobody")), SECRET);
    user_info(&bearer(production, "Bearer", &unknown))
        .await
        .refused(401, "Extension is not registered");
}

#[tokio::test]
async fn a_token_minted_here_works_for_its_own_extension_only() {
    let server = Server::start().await;
    server.register(OTHER, "901", &[OTHER_SECRET]).await;
    let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7" });
    let answer = server.sandbox().post("/v1/e/authtoken", &body).await.ok();
    let jwt = answer["token"].as_str().unwrap();
    let foreign = user_info(&server.sandbox().with(OTHER, jwt)).await;
    let info = foreign.refused(401, INVALID);
    assert_eq!(info, "made for another extension");
    user_info(&server.sandbox().with(EXTENSION, jwt)).await.ok();
}

#[tokio::test]
async fn a_foreign_signer_cannot_claim_a_grant_or_a_family() {
    let server = Server::start().await;
    let mut claims = claims("broadcaster", "42");
    claims["grant"] = json!("none");
    claims["fam"] = json!("none");
    claims["user_id"] = json!("42");
    let page = server.signed(Stage::Production, &claims);
    assert_eq!(user_info(&page).await.ok()["channel_id"], "42");
}

#[tokio::test]
async fn external_is_another_word_for_backend() {
    let server = Server::start().await;
    let mut claims = claims("external", "all");
    claims["user_id"] = json!("900");
    let page = server.signed(Stage::Production, &claims);
    let info = user_info(&page).await.ok();
    assert_eq!(info["role"], "backend");
    assert_eq!(info.get("channel_id"), None);
    page.get("/v1/e/user_ids").await.ok();
}

#[tokio::test]
async fn platform_claims_of_any_shape_do_not_matter() {
    let server = Server::start().await;
    let mut claims = claims("viewer", "42");
    claims["is_unlinked"] = json!(false);
    claims["pubsub_perms"] = json!({ "listen": ["broadcast"], "send": [] });
    let page = server.signed(Stage::Production, &claims);
    user_info(&page).await.ok();
}

#[tokio::test]
async fn every_call_that_is_not_open_wants_a_token_and_the_right_role() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    let backend = server.page("backend", "all").await;
    let forbidden = "User was unauthorized to access this resource";
    for (method, path) in [
        ("POST", "gamelink/pin"),
        ("POST", "gamelink/token"),
        ("DELETE", "gamelink/token"),
        ("GET", "gamelink/grants"),
        ("DELETE", "gamelink/grants?id=x"),
        ("POST", "validate_pin"),
        ("GET", "pin_token_exists"),
        ("DELETE", "pin"),
    ] {
        let call = |http: Http| async move {
            let path = format!("/v1/e/{path}");
            http.send(method.parse().unwrap(), &path, r#"{"pin":"AAAAAA"}"#)
                .await
        };
        call(server.sandbox()).await.refused(401, MALFORMED);
        for page in [&viewer, &backend] {
            let info = call(page.clone()).await.refused(403, forbidden);
            assert_eq!(info, "requires role broadcaster", "{path}");
        }
    }
    server
        .sandbox()
        .get("/v1/e/user_info")
        .await
        .refused(401, MALFORMED);
    for role in ["viewer", "moderator", "broadcaster"] {
        let answer = server.page(role, "42").await.get("/v1/e/user_ids").await;
        let info = answer.refused(403, forbidden);
        assert_eq!(info, "requires role admin or backend");
    }
}

#[tokio::test]
async fn another_channel_in_the_query_is_for_backends_alone() {
    let server = Server::start().await;
    let viewer = server.page("viewer", "42").await;
    viewer.get("/v1/e/user_info?channel_id=42").await.ok();
    for channel in ["43", "all", "4%32%20", "42&x=1&channel_id=43"] {
        let answer = viewer
            .get(&format!("/v1/e/user_info?channel_id={channel}"))
            .await;
        assert!(
            [400, 403].contains(&answer.status.as_u16()),
            "{channel}: {answer:?}"
        );
        assert_eq!(answer.json()["status"], answer.status.as_u16());
    }
    let info = viewer.get("/v1/e/user_info?channel_id=43").await;
    let info = info.refused(403, "User was unauthorized to access this resource");
    assert_eq!(info, "wrong channel");
    viewer.get("/v1/e/user_info?channel_id=%34%32").await.ok();
    for role in ["backend", "admin"] {
        let page = server.page(role, "all").await;
        page.get("/v1/e/user_info?channel_id=43").await.ok();
    }
}

#[tokio::test]
async fn a_secret_is_a_key_in_base64_and_not_the_text_itself() {
    let server = Server::start().await;
    let as_text = STANDARD.encode(SECRET);
    let jwt = sign(&claims("viewer", "42"), &as_text);
    user_info(&with(&server, &jwt)).await.refused(401, INVALID);
}
