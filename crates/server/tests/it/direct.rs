//! What is answered without the router is answered as the router would.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use crowdlink_core::{registry, tokens};
use crowdlink_protocol::{ClientId, Stage};
use crowdlink_server::access::{RequestIds, observed};
use crowdlink_server::client_address::ClientAddress;
use crowdlink_server::direct::Direct;
use crowdlink_server::listen::{ConnectionLimits, Edge, EdgeName, bind, serve};
use crowdlink_server::ops::Metrics;
use crowdlink_server::rest::{Bounds, RestEdge, router};
use crowdlink_server::settings::Settings;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{EXTENSION, SECRET, START_MS, Server, claims, core_beside, sign};

/// Every path that goes past the router.
const PATHS: [&str; 12] = [
    "user_info",
    "all_state",
    "channel_state",
    "extension_state",
    "viewer_state",
    "extension_viewer_state",
    "config",
    "all_config",
    "config/channel",
    "channel_config",
    "config/extension",
    "extension_config",
];

/// The same domain behind a router alone.
fn beside(server: &Server) -> SocketAddr {
    let settings = Settings::default();
    let edge = RestEdge::new(
        Arc::clone(&server.app.core),
        Stage::Sandbox,
        ClientAddress::new(&settings.proxy),
        Bounds::of(&settings),
    );
    let metrics = Metrics::new().http;
    let router = router(Arc::new(edge), Router::new());
    let bound = bind(EdgeName::SandboxRest, "127.0.0.1:0".parse().unwrap(), 64).unwrap();
    let address = bound.listener.local_addr().unwrap();
    let edges = vec![Edge {
        bound,
        router: observed(router, "sandbox", metrics, RequestIds::new(START_MS)),
        direct: Direct::default(),
        tls: None,
    }];
    let limits = ConnectionLimits::new(&settings, 4_096);
    let shutdown = server.app.shutdown.clone();
    tokio::spawn(serve(edges, limits, shutdown, server.clock.clone()));
    address
}

/// A whole answer: status, headers in the order of their names, body. What differs between two
/// answers of one server is masked.
async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap();
    let mut headers: Vec<_> = lines
        .map(|line| match line.split_once(": ").unwrap().0 {
            masked @ ("date" | "x-request-id") => masked,
            _ => line,
        })
        .collect();
    headers.sort_unstable();
    format!("{status}\n{}\n{body}", headers.join("\n"))
}

struct Asked {
    line: String,
    headers: String,
}

fn asked(line: impl Into<String>, headers: impl Into<String>) -> Asked {
    Asked {
        line: line.into(),
        headers: headers.into(),
    }
}

impl Asked {
    fn request(&self) -> String {
        let Self { line, headers } = self;
        format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
    }
}

fn token(role: &str, channel: &str, stage: Option<&str>) -> String {
    let mut claims = claims(role, channel);
    if let Some(stage) = stage {
        claims["allowed_stage"] = json!(stage);
    }
    if role == "admin" {
        claims["user_id"] = json!("server");
    }
    sign(&claims, SECRET)
}

/// Ways to ask for a path.
fn ways(path: &str) -> Vec<Asked> {
    let path = format!("/v1/e/{path}");
    let jwt = token("broadcaster", "42", Some("sandbox"));
    let auth = |jwt: &str| format!("authorization: {EXTENSION} {jwt}\r\n");
    let good = auth(&jwt);
    let admin = auth(&token("admin", "", Some("sandbox")));
    let mut ways = Vec::new();
    for headers in [
        String::new(),
        good.clone(),
        admin.clone(),
        format!("{good}{good}"),
        format!("authorization: Bearer {jwt}\r\n"),
        format!("authorization: {EXTENSION}  {jwt}\r\n"),
        format!("authorization: {EXTENSION} {jwt}é\r\n"),
        format!("authorization: unknown {jwt}\r\n"),
        auth("no.token.here"),
        auth(&token("broadcaster", "42", None)),
        auth(&token("broadcaster", "42", Some("production"))),
        format!("{good}origin: https://page.example\r\n"),
        format!("{good}if-none-match: \"v0\"\r\n"),
        format!("{good}if-none-match: *\r\n"),
        format!("{good}if-none-match: v1\r\n"),
        format!("{good}content-length: 2\r\n\r\n{{}}"),
        format!("{good}expect: 100-continue\r\ncontent-length: 0\r\n"),
        format!("{good}x-forwarded-for: 192.0.2.1\r\n"),
    ] {
        ways.push(asked(format!("GET {path}"), headers));
    }
    for query in [
        "",
        "channel_id=42",
        "channel_id=43",
        "channel_id=4%32",
        "channel_id=%ff",
        "channel_id=42&channel_id=42",
        "channel_id=42&other=1&other=2",
        "&&",
        "user_ids=a,b",
        "userID=a&user_ids=b",
    ] {
        ways.push(asked(format!("GET {path}?{query}"), &*good));
        ways.push(asked(format!("GET {path}?{query}"), &*admin));
    }
    for line in [
        format!("HEAD {path}"),
        format!("PUT {path}"),
        format!("BREW {path}"),
        format!("get {path}"),
        format!("GET http://x{path}?channel_id=42"),
        format!("GET {path}#fragment"),
    ] {
        ways.push(asked(line, &*good));
    }
    ways
}

#[tokio::test]
async fn an_answer_past_the_router_is_the_answer_of_the_router() {
    let server = Server::start_with(|settings| {
        settings.rates.rest_requests_burst_max = 1_000_000;
    })
    .await;
    let page = server.page("broadcaster", "42").await;
    page.post("/v1/e/channel_state", &json!({ "score": 7 }))
        .await
        .ok();
    let direct = server.address(EdgeName::SandboxRest);
    let routed = beside(&server);
    for path in PATHS {
        for way in ways(path) {
            let request = way.request();
            // First unheard of, then remembered; whichever is asked first must not matter.
            for _ in 0..2 {
                let (direct, routed) = tokio::join!(ask(direct, &request), ask(routed, &request));
                assert_eq!(direct, routed, "{request}");
            }
        }
    }
    // What the loop compares are answers, not a hundred times the same refusal.
    let good = asked(
        "GET /v1/e/channel_state",
        format!(
            "authorization: {EXTENSION} {}\r\n",
            token("broadcaster", "42", Some("sandbox"))
        ),
    );
    let answer = ask(direct, &good.request()).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\n"), "{answer}");
    assert!(answer.ends_with("\n{\"score\":7}"), "{answer}");
}

#[tokio::test]
async fn what_goes_past_the_router_is_counted_like_the_rest() {
    let server = Server::start().await;
    let page = server.page("viewer", "42").await;
    for path in PATHS {
        page.get(&format!("/v1/e/{path}")).await.ok();
        server.sandbox().get(&format!("/v1/e/{path}")).await;
        let unchanged = page.header("if-none-match", "*");
        unchanged.get(&format!("/v1/e/{path}")).await;
    }
    let text = server.app.metrics.encode().unwrap();
    for path in PATHS {
        let route = format!("route=\"/v1/e/{path}\"");
        for (status, count) in [(200, 1 + u8::from(path == "user_info")), (401, 1)] {
            let labels = format!("stage=\"sandbox\",method=\"GET\",{route},status=\"{status}\"");
            let line = format!("crowdlink_http_requests_total{{{labels}}} {count}\n");
            assert!(text.contains(&line), "{line} is not in {text}");
        }
        let line = format!(
            "crowdlink_http_request_duration_seconds_count{{stage=\"sandbox\",{route}}} 3\n"
        );
        assert!(text.contains(&line), "{line} is not in {text}");
    }
}

#[tokio::test]
async fn a_remembered_header_ends_with_what_it_rests_on() {
    let server = Server::start().await;
    let path = "/v1/e/channel_state";
    // It expires.
    let mut brief = claims("broadcaster", "42");
    brief["allowed_stage"] = json!("sandbox");
    brief["exp"] = json!(START_MS / 1_000 + 10);
    let brief = server.signed(Stage::Sandbox, &brief);
    brief.get(path).await.ok();
    server.advance_ms(39_999);
    brief.get(path).await.ok();
    server.advance_ms(1);
    assert_eq!(brief.get(path).await.status, 401);
    // It is revoked.
    let mut named = claims("broadcaster", "42");
    named["allowed_stage"] = json!("sandbox");
    named["jti"] = json!("one-token");
    let named = server.signed(Stage::Sandbox, &named);
    named.get(path).await.ok();
    tokens::revoke(&server.app.core, "one-token").await.unwrap();
    assert_eq!(named.get(path).await.status, 401);
    // Its stage is one, whatever another stage found.
    let sandbox = token("viewer", "42", Some("sandbox"));
    server
        .sandbox()
        .with(EXTENSION, &sandbox)
        .get(path)
        .await
        .ok();
    let production = server.rest(Stage::Production).with(EXTENSION, &sandbox);
    assert_eq!(production.get(path).await.status, 403);
    // Its extension goes.
    let page = server.page("viewer", "42").await;
    page.get(path).await.ok();
    let core = core_beside(&server).await;
    let client_id = ClientId::new(EXTENSION).unwrap();
    registry::remove(core.world(), &client_id).await.unwrap();
    server
        .in_time("the extension is gone", || async {
            page.get(path).await.status == 401
        })
        .await;
}
