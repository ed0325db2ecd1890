//! Several secrets of an extension, their rotation, and its removal (`spec 1.1`, `spec 6.1`).

use crowdlink_core::Secret;
use crowdlink_core::registry;
use crowdlink_protocol::{ClientId, Stage};
use serde_json::json;

use crate::harness::{Answer, EXTENSION, Http, OWNER, SECRET, Server, claims, sign};

const SECOND: &str = "dGhlIHNlY29uZCBzZWNyZXQgb2YgaXQ=";
const INVALID: &str = "Authorization token is invalid";

fn id() -> ClientId {
    ClientId::new(EXTENSION).unwrap()
}

fn page(server: &Server, secret: &str) -> Http {
    let jwt = sign(&claims("viewer", "42"), secret);
    server.rest(Stage::Production).with(EXTENSION, &jwt)
}

async fn info(page: &Http) -> Answer {
    page.get("/v1/e/user_info").await
}

/// Rotates the secret as the command line does; waits until the server knows the new one.
async fn rotate(server: &Server, retire_old_after_ms: Option<u64>) -> Secret {
    let world = server.app.core.world();
    let rotated = registry::rotate_secret(world, &id(), retire_old_after_ms).await;
    let secret = rotated.unwrap().secret;
    let new = page(server, &secret.to_base64());
    server
        .in_time("the new secret is known", || async {
            info(&new).await.status == 200
        })
        .await;
    secret
}

#[tokio::test]
async fn every_current_secret_signs() {
    let server = Server::start().await;
    let third = "a third secret, also fit";
    let third = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, third);
    server
        .register("several", OWNER, &[SECRET, SECOND, &third])
        .await;
    for secret in [SECRET, SECOND, &third] {
        let jwt = sign(&claims("viewer", "42"), secret);
        info(&server.rest(Stage::Production).with("several", &jwt))
            .await
            .ok();
    }
}

#[tokio::test]
async fn a_rotation_without_an_end_for_the_old_keeps_both() {
    let server = Server::start().await;
    let old = page(&server, SECRET);
    let new = page(&server, &rotate(&server, None).await.to_base64());
    server.advance_ms(50 * 60_000);
    info(&old).await.ok();
    info(&new).await.ok();
}

#[tokio::test]
async fn an_old_secret_ends_at_its_time_and_not_before() {
    let server = Server::start().await;
    let old = page(&server, SECRET);
    info(&old).await.ok();
    let rotated_ms = server.clock_ms();
    let secret = rotate(&server, Some(1_800_000)).await;
    let new = page(&server, &secret.to_base64());
    let left_ms = u64::try_from(rotated_ms + 1_800_000 - server.clock_ms()).unwrap();
    server.advance_ms(left_ms - 1);
    info(&old).await.ok();
    info(&new).await.ok();
    server.advance_ms(1);
    assert_eq!(info(&old).await.refused(401, INVALID), "signature");
    info(&new).await.ok();
}

#[tokio::test]
async fn a_rotation_leaves_no_moment_without_a_secret() {
    let server = Server::start().await;
    let old = page(&server, SECRET);
    let world = server.app.core.world();
    let rotated = registry::rotate_secret(world, &id(), Some(3_600_000)).await;
    let new = page(&server, &rotated.unwrap().secret.to_base64());
    server
        .in_time("the new secret is known, the old one goes on", || async {
            info(&old).await.ok();
            info(&new).await.status == 200
        })
        .await;
}

#[tokio::test]
async fn tokens_minted_here_outlive_the_secrets() {
    let server = Server::start().await;
    let minted = server.page("viewer", "42").await;
    rotate(&server, Some(0)).await;
    assert_eq!(info(&page(&server, SECRET)).await.status, 401);
    info(&minted).await.ok();
}

#[tokio::test]
async fn the_deployments_key_is_rotated_with_overlap() {
    let server = Server::start().await;
    let before = server.page("viewer", "42").await;
    let world = server.app.core.world();
    registry::rotate_key(world, 3_600_000).await.unwrap();
    let rotated_ms = server.clock_ms();
    server.app.core.reload().await.unwrap();
    let after = server.page("viewer", "42").await;
    info(&before).await.ok();
    info(&after).await.ok();
    let left_ms = u64::try_from(rotated_ms + 3_600_000 - server.clock_ms()).unwrap();
    server.advance_ms(left_ms);
    assert_eq!(info(&before).await.refused(401, INVALID), "signature");
    info(&after).await.ok();
}

#[tokio::test]
async fn a_removed_extension_is_unknown_within_a_second() {
    let server = Server::start().await;
    server.register("second", "901", &[SECRET]).await;
    let minted = server.page("broadcaster", "42").await;
    let signed = page(&server, SECRET);
    info(&minted).await.ok();
    info(&signed).await.ok();
    registry::remove(server.app.core.world(), &id())
        .await
        .unwrap();
    server
        .in_time("the extension is gone", || async {
            info(&minted).await.status == 401
        })
        .await;
    for page in [&minted, &signed] {
        info(page).await.refused(401, "Extension is not registered");
    }
    let body = json!({ "app_id": EXTENSION, "channel_id": "42", "user_id": "7" });
    let open = server.sandbox();
    open.post("/v1/e/authtoken", &body)
        .await
        .refused(400, "No such extension found");
    open.post("/v1/e/pin", &json!({ "identifier": EXTENSION }))
        .await
        .refused(400, "No such extension found");
    let jwt = sign(&claims("viewer", "42"), SECRET);
    info(&server.rest(Stage::Production).with("second", &jwt))
        .await
        .ok();
}

#[tokio::test]
async fn what_a_development_server_registered_can_be_registered_for_real() {
    let server = Server::start_dev().await;
    let body = json!({ "app_id": "mine", "channel_id": "42", "user_id": "7" });
    let open = server.sandbox();
    open.post("/v1/e/authtoken", &body).await.ok();
    let jwt = sign(&claims("viewer", "42"), SECOND);
    let production = server.rest(Stage::Production).with("mine", &jwt);
    info(&production)
        .await
        .refused(401, "Extension is not registered");
    server.register("mine", OWNER, &[SECOND]).await;
    info(&production).await.ok();
}
