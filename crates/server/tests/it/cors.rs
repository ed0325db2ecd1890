//! CORS: a page from anywhere may call (`spec 1.2`).

use crowdlink_protocol::Stage;
use http::Method;

use crate::harness::{Answer, Http, Server};

const ORIGIN: &str = "https://abcdef.ext.example";
const ROUTES: [&str; 12] = [
    "authtoken",
    "token",
    "pin",
    "unauthed/pin",
    "unauthed/validate_pin",
    "validate_pin",
    "pin_token_exists",
    "gamelink/pin",
    "gamelink/token",
    "gamelink/grants",
    "user_info",
    "user_ids",
];

async fn preflight(http: &Http, path: &str, method: &str) -> Answer {
    http.header("origin", ORIGIN)
        .header("access-control-request-method", method)
        .header(
            "access-control-request-headers",
            "authorization,content-type",
        )
        .send(Method::OPTIONS, path, "")
        .await
}

/// The words of a header that is a list.
fn words(answer: &Answer, name: &str) -> Vec<String> {
    let list = answer.header(name).unwrap();
    list.split(',')
        .map(|word| word.trim().to_ascii_lowercase())
        .collect()
}

#[tokio::test]
async fn every_route_answers_preflights_which_carry_no_token() {
    let server = Server::start().await;
    for stage in [Stage::Sandbox, Stage::Production] {
        for route in ROUTES {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                let path = format!("/v1/e/{route}");
                let answer = preflight(&server.rest(stage), &path, method).await;
                assert!(answer.status.is_success(), "{path}: {answer:?}");
                assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
                let allowed = words(&answer, "access-control-allow-methods");
                assert!(
                    allowed.contains(&method.to_ascii_lowercase()),
                    "{allowed:?}"
                );
                let headers = words(&answer, "access-control-allow-headers");
                assert!(headers.contains(&"authorization".to_owned()), "{headers:?}");
                assert!(headers.contains(&"content-type".to_owned()), "{headers:?}");
                assert_eq!(answer.header("access-control-max-age"), Some("86400"));
            }
        }
    }
}

#[tokio::test]
async fn a_page_may_read_every_answer_refusals_too() {
    let server = Server::start().await;
    let page = server.page("viewer", "42").await.header("origin", ORIGIN);
    let stranger = server.sandbox().header("origin", ORIGIN);
    server.store.set_down(true);
    let broadcaster = server.page("broadcaster", "42").await;
    let broadcaster = broadcaster.header("origin", ORIGIN);
    for (answer, status) in [
        (page.get("/v1/e/user_info").await, 200),
        (stranger.get("/v1/e/user_info").await, 401),
        (page.get("/v1/e/user_ids").await, 403),
        (page.get("/v1/e/nothing").await, 404),
        (page.delete("/v1/e/user_info").await, 405),
        (broadcaster.get("/v1/e/pin_token_exists").await, 500),
    ] {
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let exposed = words(&answer, "access-control-expose-headers");
        assert!(exposed.contains(&"retry-after".to_owned()), "{exposed:?}");
        assert!(exposed.contains(&"etag".to_owned()), "{exposed:?}");
    }
}

#[tokio::test]
async fn no_answer_offers_credentials_to_pages() {
    let server = Server::start().await;
    let page = server.page("viewer", "42").await.header("origin", ORIGIN);
    let answer = page.get("/v1/e/user_info").await;
    assert_eq!(answer.header("access-control-allow-credentials"), None);
}
