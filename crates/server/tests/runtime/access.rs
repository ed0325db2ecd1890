use std::io::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::Extension;
use axum::routing::get;
use crowdlink_server::access::{RequestId, RequestIds, observed};
use crowdlink_server::logging::subscriber;
use crowdlink_server::ops::Metrics;
use crowdlink_server::settings::Log;
use http::StatusCode;
use parking_lot::Mutex;

use crate::harness::{Client, get as fetch, limits, start};

#[derive(Clone, Debug, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn log(lines: &Lines, level: &str, json: bool) -> tracing::subscriber::DefaultGuard {
    let settings = Log {
        level: level.to_owned(),
        json,
    };
    let writer = lines.clone();
    let subscriber = subscriber(&settings, move || writer.clone(), false).unwrap();
    tracing::subscriber::set_default(subscriber)
}

fn routes(metrics: &Metrics) -> Router {
    let router = Router::new()
        .route(
            "/v1/e/poll/{id}",
            get(|Extension(id): Extension<RequestId>| async move {
                tracing::info!("inside");
                id.to_string()
            }),
        )
        .route(
            "/broken",
            get(|| async { StatusCode::INTERNAL_SERVER_ERROR }),
        );
    observed(
        router,
        "sandbox",
        metrics.http.clone(),
        RequestIds::new(0xabc),
    )
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_what_the_caller_wrote() {
    let metrics = Metrics::new();
    let server = start(routes(&metrics), limits());
    for path in [
        "/v1/e/poll/wanda?x=1",
        "/v1/e/poll/otto",
        "/nowhere/secret",
        "/broken",
    ] {
        fetch(server.address, path).await;
    }
    let mut client = Client::connect(server.address).await;
    client
        .send("BREW /v1/e/poll/1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .await;
    client.rest().await;
    let text = metrics.encode().unwrap();
    let prefix = "crowdlink_http_requests_total{stage=\"sandbox\"";
    for line in [
        "method=\"GET\",route=\"/v1/e/poll/{id}\",status=\"200\"} 2",
        "method=\"GET\",route=\"unmatched\",status=\"404\"} 1",
        "method=\"GET\",route=\"/broken\",status=\"500\"} 1",
        "method=\"other\",route=\"/v1/e/poll/{id}\",status=\"405\"} 1",
    ] {
        assert!(
            text.contains(&format!("{prefix},{line}")),
            "{line} is not in {text}"
        );
    }
    let seconds = "crowdlink_http_request_duration_seconds_count{stage=\"sandbox\",route=\"/v1/e/poll/{id}\"} 3";
    assert!(text.contains(seconds), "{text}");
    assert!(!text.contains("secret") && !text.contains("wanda") && !text.contains("BREW"));
}

#[tokio::test]
async fn every_request_has_an_id_in_the_handler_the_response_and_the_log() {
    let lines = Lines::default();
    let _guard = log(&lines, "debug", true);
    let server = start(routes(&Metrics::new()), limits());
    let first = fetch(server.address, "/v1/e/poll/1").await;
    let second = fetch(server.address, "/v1/e/poll/1").await;
    assert!(
        first.contains("x-request-id: abc-0\r\n") && first.ends_with("abc-0"),
        "{first}"
    );
    assert!(second.ends_with("abc-1"), "{second}");
    let ours: Vec<serde_json::Value> = lines
        .text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|line: &serde_json::Value| line["span"]["id"] == "abc-0")
        .collect();
    let messages: Vec<_> = ours
        .iter()
        .map(|line| line["message"].as_str().unwrap())
        .collect();
    assert_eq!(messages, ["inside", "request"]);
    assert_eq!(ours[1]["status"], 200);
    assert_eq!(ours[1]["path"], "\"/v1/e/poll/1\"");
}

#[tokio::test]
async fn neither_the_query_nor_a_header_is_ever_logged() {
    for json in [true, false] {
        let lines = Lines::default();
        let guard = log(&lines, "trace", json);
        let server = start(routes(&Metrics::new()), limits());
        let mut client = Client::connect(server.address).await;
        client
            .send(
                "GET /v1/e/poll/1?token=hunter2 HTTP/1.1\r\nhost: x\r\n\
                 authorization: X hunter2\r\nconnection: close\r\n\r\n",
            )
            .await;
        assert!(client.rest().await.contains("200 OK"));
        fetch(server.address, "/broken?pin=hunter2").await;
        drop(guard);
        let text = lines.text();
        assert!(
            text.contains("/v1/e/poll/1") && text.contains("request failed"),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn at_the_usual_level_only_faults_of_ours_are_logged() {
    let lines = Lines::default();
    let _guard = log(&lines, "info", false);
    let server = start(routes(&Metrics::new()), limits());
    fetch(server.address, "/nowhere").await;
    fetch(server.address, "/broken").await;
    let text = lines.text();
    assert_eq!(text.lines().count(), 1, "{text}");
    assert!(
        text.contains("WARN") && text.contains("status=500"),
        "{text}"
    );
}

#[test]
fn a_level_that_is_none_is_refused_with_the_name_of_the_setting() {
    let settings = Log {
        level: "a=b=c".to_owned(),
        json: false,
    };
    let Err(error) = subscriber(&settings, std::io::stderr, false) else {
        panic!("taken");
    };
    assert!(
        error
            .to_string()
            .starts_with("log.level cannot be \"a=b=c\""),
        "{error}"
    );
}
