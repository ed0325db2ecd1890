//! The scripts for pages without a platform (`spec 4.2`, `spec 4.6`). What they do is tested in a
//! browser.

use crowdlink_protocol::Stage;

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
