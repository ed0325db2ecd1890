//! Bodies as clients send them, answers as clients need them (`spec 3`, `spec 4.6`, `spec 5`).

use std::net::SocketAddr;

use crowdlink_protocol::Stage;
use crowdlink_server::listen::EdgeName;
use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Answer, EXTENSION, Server};

const CHECK: &str = "/v1/e/unauthed/validate_pin";
const PIN_INVALID: &str = "The provided PIN is invalid or expired";

/// Posts a body to a call that answers 401 for every body it understands.
async fn check(server: &Server, body: impl Into<bytes::Bytes>) -> Answer {
    server.sandbox().send(Method::POST, CHECK, body).await
}

fn understood(answer: &Answer) {
    answer.refused(401, PIN_INVALID);
}

/// Says something over a socket; everything that comes back until its end.
async fn talk(address: SocketAddr, request: &str) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn body_of_size(bytes: usize) -> String {
    let shell = json!({ "identifier": "nobody", "pin": "x", "pad": "" }).to_string();
    let pad = "x".repeat(bytes - shell.len());
    json!({ "identifier": "nobody", "pin": "x", "pad": pad }).to_string()
}

/// A JSON body whose depth, its root counted as 1, is given.
fn body_of_depth(depth: usize) -> String {
    let (open, close) = ("[".repeat(depth - 1), "]".repeat(depth - 1));
    format!(r#"{{"identifier":"nobody","pin":"x","deep":{open}{close}}}"#)
}

fn body_of_keys(keys: usize) -> String {
    let more: Vec<String> = (2..keys).map(|n| format!(r#","{n}":0"#)).collect();
    let more = more.concat();
    format!(r#"{{"identifier":"nobody","pin":"x"{more}}}"#)
}

#[tokio::test]
async fn a_body_may_be_encoded_twice_and_say_any_type() {
    let server = Server::start().await;
    let object = json!({ "identifier": "nobody", "pin": "x" }).to_string();
    let twice = json!(object).to_string();
    for kind in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "a/b;c=d",
    ] {
        for body in [&object, &twice, &format!("\n {object} \t")] {
            let http = server.sandbox().header("content-type", kind);
            understood(&http.send(Method::POST, CHECK, body.clone()).await);
        }
    }
    let thrice = json!(twice).to_string();
    check(&server, thrice)
        .await
        .refused(400, "body must be a JSON object");
}

#[tokio::test]
async fn a_post_without_body_and_length_counts_as_an_empty_object() {
    let server = Server::start().await;
    let address = server.address(EdgeName::SandboxRest);
    for length in ["", "content-length: 0\r\n"] {
        let request =
            format!("POST {CHECK} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{length}\r\n");
        let answer = talk(address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(
            answer.contains(r#""reason":"identifier is required""#),
            "{answer}"
        );
    }
    for body in ["", " \n", "{}", "\"{}\""] {
        let answer = check(&server, body).await;
        answer.refused(400, "identifier is required");
    }
}

#[tokio::test]
async fn a_body_in_chunks_is_read_like_any_other() {
    let server = Server::start().await;
    let request = format!(
        "POST {CHECK} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
         17\r\n{{\"identifier\":\"nobody\",\r\nb\r\n\"pin\":\"xyz\"\r\n1\r\n}}\r\n0\r\n\r\n"
    );
    let answer = talk(server.address(EdgeName::SandboxRest), &request).await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[tokio::test]
async fn the_pin_calls_of_a_page_ignore_whatever_body_comes() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let bodies = [
        "",
        "{}",
        "\"{}\"",
        r#"{"pin":""}"#,
        "no json",
        "[1",
        "\"",
        "null",
    ];
    for body in bodies {
        let made = page
            .send(Method::POST, "/v1/e/gamelink/pin", body)
            .await
            .ok();
        assert_eq!(made["pin"], made["token"]);
        assert_eq!(made.as_object().unwrap().len(), 2);
    }
}

#[tokio::test]
async fn what_is_no_json_or_no_object_is_refused() {
    let server = Server::start().await;
    for body in [
        "{",
        "nonsense",
        "{'a':1}",
        "{\"a\":NaN}",
        "{}{}",
        "\u{feff}{}",
    ] {
        let answer = check(&server, body).await;
        assert_eq!(answer.status, 400, "{body}");
        let reason = answer.json()["reason"].as_str().unwrap().to_owned();
        assert!(reason.starts_with("body "), "{reason}");
    }
    assert_eq!(
        check(&server, b"{\"a\":\"\xff\"}".to_vec()).await.status,
        400
    );
    for body in ["[]", "1", "true", "null", "\"text\"", "\"[]\""] {
        let answer = check(&server, body).await;
        answer.refused(400, "body must be a JSON object");
    }
}

#[tokio::test]
async fn a_body_of_a_mebibyte_is_taken_and_one_byte_more_is_not() {
    let server = Server::start().await;
    understood(&check(&server, body_of_size(1_048_576)).await);
    let answer = check(&server, body_of_size(1_048_577)).await;
    answer.refused(413, "The request body is over 1048576 bytes");
}

#[tokio::test]
async fn a_body_that_only_claims_to_be_huge_is_refused_at_once() {
    let server = Server::start().await;
    let request = format!(
        "POST {CHECK} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 99999999999\r\n\r\n"
    );
    let address = server.address(EdgeName::SandboxRest);
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut start = [0; 12];
    socket.read_exact(&mut start).await.unwrap();
    assert_eq!(&start, b"HTTP/1.1 413");
}

#[tokio::test]
async fn depth_and_keys_have_their_bounds() {
    let server = Server::start().await;
    understood(&check(&server, body_of_depth(64)).await);
    assert_eq!(check(&server, body_of_depth(65)).await.status, 400);
    assert_eq!(check(&server, body_of_depth(100_000)).await.status, 400);
    let unclosed = format!(r#"{{"identifier":{}"#, "[".repeat(500_000));
    assert_eq!(check(&server, unclosed).await.status, 400);
    // Encoded twice, the inner one is a document of its own.
    understood(&check(&server, json!(body_of_depth(64)).to_string()).await);
    assert_eq!(
        check(&server, json!(body_of_depth(65)).to_string())
            .await
            .status,
        400
    );
    understood(&check(&server, body_of_keys(10_000)).await);
    assert_eq!(check(&server, body_of_keys(10_001)).await.status, 400);
}

#[tokio::test]
async fn of_a_key_that_comes_twice_the_last_wins() {
    let server = Server::start().await;
    let body = format!(r#"{{"identifier":"nobody","pin":5,"identifier":"{EXTENSION}","pin":"x"}}"#);
    understood(&check(&server, body).await);
}

#[tokio::test]
async fn head_and_options_work_and_bodies_fit_their_type() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    for path in [
        "/v1/e/user_info",
        "/v1/e/pin_token_exists",
        "/v1/e/gamelink/grants",
    ] {
        let answer = page.send(Method::HEAD, path, "").await;
        assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let got = page.get(path).await;
        got.ok();
        assert_eq!(
            answer.header("content-length"),
            got.header("content-length")
        );
        let options = page.send(Method::OPTIONS, path, "").await;
        assert!(options.status.is_success(), "{options:?}");
    }
    let refused = server
        .sandbox()
        .send(Method::HEAD, "/v1/e/user_info", "")
        .await;
    assert_eq!((refused.status.as_u16(), refused.body.len()), (401, 0));
}

#[tokio::test]
async fn an_answer_with_the_json_type_is_never_empty() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    for (method, path) in [
        (Method::DELETE, "/v1/e/pin"),
        (Method::DELETE, "/v1/e/gamelink/token"),
        (Method::GET, "/nowhere"),
        (Method::PUT, "/v1/e/pin"),
        (Method::POST, "/v1/e/validate_pin"),
        (Method::OPTIONS, "/v1/e/pin"),
    ] {
        let answer = page.send(method.clone(), path, "").await;
        let json = answer.header("content-type") == Some("application/json");
        assert!(!json || answer.json().is_object(), "{method} {path}");
        assert!(json || method == Method::OPTIONS, "{method} {path}");
    }
}

#[tokio::test]
async fn a_body_on_delete_does_not_disturb() {
    let server = Server::start().await;
    let page = server
        .page("broadcaster", "42")
        .await
        .header("content-type", "application/x-www-form-urlencoded");
    for body in ["", "{}", "\"{}\"", "rubbish"] {
        let answer = page.send(Method::DELETE, "/v1/e/pin", body).await;
        assert_eq!(answer.ok(), json!({}));
    }
}

#[tokio::test]
async fn query_parameters_are_percent_decoded_and_need_not_be_encoded() {
    let server = Server::start().await;
    let ask = |role: &'static str| {
        let http = server.sandbox();
        let body = json!({ "app_id": EXTENSION, "channel_id": "a b:c", "user_id": "7" });
        async move {
            http.post(&format!("/v1/e/authtoken?role={role}"), &body)
                .await
        }
    };
    let made: Value = ask("%76iewer").await.ok();
    let page = server
        .sandbox()
        .with(EXTENSION, made["token"].as_str().unwrap());
    for named in ["a%20b%3Ac", "a+b:c", "a%20b:c"] {
        let path = format!("/v1/e/user_info?channel_id={named}");
        page.get(&path).await.ok();
    }
    for query in ["channel_id=%", "channel_id=%zz", "channel_id=%ff"] {
        let answer = page.get(&format!("/v1/e/user_info?{query}")).await;
        assert_eq!(answer.status, 403, "{query}");
    }
    page.get("/v1/e/user_info?&&=&unknown=1&unknown=2")
        .await
        .ok();
}

#[tokio::test]
async fn both_stages_answer_in_the_same_form() {
    let server = Server::start().await;
    for stage in [Stage::Sandbox, Stage::Production] {
        let http = server.rest(stage);
        let body = json!({ "identifier": "nobody", "pin": "x" });
        understood(&http.post(CHECK, &body).await);
    }
}
