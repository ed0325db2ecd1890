//! `user_info`: who the server thinks one is, and what time it is (`spec 1.6`, `spec 4.7`).

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use crate::harness::{EXTENSION, Http, SECRET, START_MS, Server, claims, sign};

const PATH: &str = "/v1/e/user_info";

async fn behind_a_proxy() -> Server {
    Server::start_with(|settings| {
        settings.proxy.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

async fn address_of(page: &Http) -> Value {
    page.get(PATH).await.ok()["ip_address"].clone()
}

#[tokio::test]
async fn a_viewer_who_shares_identity_reads_everything_about_itself() {
    let server = Server::start().await;
    let page = server.page("viewer", "42").await;
    server.advance_ms(1_234);
    let info = page.get(PATH).await.ok();
    let pseudonym = info["visualization_id"].as_str().unwrap();
    assert!(pseudonym.len() >= 16, "{pseudonym}");
    assert_eq!(
        info,
        json!({
            "ip_address": "127.0.0.0",
            "registered": true,
            "visualization_id": pseudonym,
            "user_id": "77",
            "opaque_user_id": "U77",
            "channel_id": "42",
            "role": "viewer",
            "app_id": EXTENSION,
            "stage": "sandbox",
            "expires_at": START_MS + 24 * 3_600_000,
            "server_time": START_MS + 1_234,
        })
    );
}

#[tokio::test]
async fn what_is_not_there_is_left_out() {
    let server = Server::start().await;
    let viewer = server.signed(Stage::Production, &claims("viewer", "42"));
    let info = viewer.get(PATH).await.ok();
    assert_eq!(info["registered"], false);
    assert_eq!(info.get("user_id"), None);
    let backend = json!({ "exp": START_MS / 1_000 + 60, "role": "backend" });
    let info = server
        .signed(Stage::Production, &backend)
        .get(PATH)
        .await
        .ok();
    for name in ["user_id", "opaque_user_id", "channel_id"] {
        assert_eq!(info.get(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_moderator_says_so_and_is_treated_as_a_viewer() {
    let server = Server::start().await;
    let page = server.signed(Stage::Production, &claims("moderator", "42"));
    assert_eq!(page.get(PATH).await.ok()["role"], "moderator");
}

#[tokio::test]
async fn the_pseudonym_is_stable_for_a_user_in_an_extension_and_no_wider() {
    let server = Server::start().await;
    server.register("second", "901", &[SECRET]).await;
    let pseudonym = |id: &'static str, user: &'static str, channel: &'static str| {
        let mut claims = claims("viewer", channel);
        claims["user_id"] = json!(user);
        let page = server
            .rest(Stage::Production)
            .with(id, &sign(&claims, SECRET));
        async move { page.get(PATH).await.ok()["visualization_id"].clone() }
    };
    let one = pseudonym(EXTENSION, "7", "42").await;
    assert_eq!(one, pseudonym(EXTENSION, "7", "42").await);
    assert_eq!(one, pseudonym(EXTENSION, "7", "43").await);
    assert_ne!(one, pseudonym(EXTENSION, "8", "42").await);
    assert_ne!(one, pseudonym("second", "7", "42").await);
}

#[tokio::test]
async fn the_address_comes_from_the_socket_where_no_proxy_is_trusted() {
    let server = Server::start().await;
    let page = server
        .page("viewer", "42")
        .await
        .header("x-forwarded-for", "203.0.113.77")
        .header("forwarded", "for=203.0.113.78");
    assert_eq!(address_of(&page).await, "127.0.0.0");
}

#[tokio::test]
async fn the_address_a_trusted_proxy_tells_is_shown_without_its_host_part() {
    let server = behind_a_proxy().await;
    let page = server.page("viewer", "42").await;
    for (told, shown) in [
        ("203.0.113.77", "203.0.113.0"),
        ("6.6.6.6, 203.0.113.77", "203.0.113.0"),
        ("203.0.113.77, 127.0.0.9", "203.0.113.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("::ffff:203.0.113.77", "203.0.113.0"),
        ("rubbish", "127.0.0.0"),
    ] {
        let page = page.header("x-forwarded-for", told);
        assert_eq!(address_of(&page).await, shown, "{told}");
    }
    let page = page.header("forwarded", "for=\"[2001:db8:cafe::17]:4711\"");
    assert_eq!(address_of(&page).await, "2001:db8:cafe::");
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let server = Server::start().await;
    let page = server.page("viewer", "42").await;
    let answer = page.send(http::Method::HEAD, PATH, "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert!(answer.body.is_empty());
}
