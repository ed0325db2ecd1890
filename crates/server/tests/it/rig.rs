//! The scripts for pages without a platform (`spec 4.2`, `spec 4.6`). What they do is tested in a
//! browser.

use crowdlink_protocol::Stage;

use crowdlink_server::listen::EdgeName;
use crowdlink_server::settings::Address;

use crate::harness::Server;

#[tokio::test]
async fn the_sandbox_serves_the_scripts_to_any_page_and_production_does_not() {
    let server = Server::start().await;
    for (path, words) in [
        (
            "/rig/medkit-local.js?ext=x",
            ["WebSocket", "extensionID", "getAuthPin"],
        ),
        (
            "/rig/medkit-extra.js",
            ["getAuthPin", "getAllConfig", "patchChannelConfig"],
        ),
        (
            "/rig/twitch-ext.js?ext=x",
            ["onAuthorized", "onTransactionComplete", "requestIdShare"],
        ),
    ] {
        let page = server.sandbox().header("origin", "http://example.test");
        let answer = page.get(path).await;
        assert_eq!(answer.status, 200);
        let content_type = answer.header("content-type");
        assert_eq!(content_type, Some("text/javascript; charset=utf-8"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        for word in words {
            assert!(text.contains(word), "{path} lacks {word}");
        }
        assert_eq!(server.rest(Stage::Production).get(path).await.status, 404);
    }
}

#[tokio::test]
async fn the_helper_is_under_20_kb_and_knows_where_production_is() {
    let server = Server::start().await;
    let answer = server.sandbox().get("/rig/twitch-ext.js").await;
    assert!(answer.body.len() < 20_000, "{} bytes", answer.body.len());
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let port = server.address(EdgeName::ProductionRest).port();
    assert!(text.contains(&format!("({port})")), "no port {port}");
    assert!(!text.contains("PRODUCTION_PORT"));
}

#[tokio::test]
async fn without_production_the_helper_knows_none() {
    let server =
        Server::start_with(|settings| settings.listen.production_rest = Address::Off).await;
    let answer = server.sandbox().get("/rig/twitch-ext.js").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.contains("(null)"));
}
