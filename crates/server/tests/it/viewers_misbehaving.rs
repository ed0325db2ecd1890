//! Viewers that do not behave, all manners at once, beside many that do (`spec 5`).

use crowdlink_protocol::Stage;
use crowdlink_server::listen::EdgeName;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::harness::{EXTENSION, Http, Server, Viewer};

const CHANNEL: &str = "42";
/// Viewers that behave.
const GOOD: usize = 50;
/// Viewers of each manner that do not.
const BAD: usize = 5;
/// Events that everybody is told.
const EVENTS: usize = 400;
/// Events of 4 KB after each of those, for the ones who do not read.
const NOISE: usize = 5;

async fn broadcast(page: &Http, data: Value) {
    let body = json!({ "target": "broadcast", "event": "e", "data": data });
    page.post("/v1/e/broadcast", &body).await.ok();
}

/// Hears everything in order; gives the viewer back, who is still connected.
async fn listens(mut viewer: Viewer) -> Viewer {
    for n in 0..EVENTS {
        assert_eq!(viewer.told().await.data["n"], json!(n));
    }
    viewer.socket.heartbeat().await;
    viewer
}

/// Sends as fast as it is taken, until it is closed.
fn floods(mut viewer: Viewer, jwt: &str) -> JoinHandle<()> {
    let frame = json!({ "authorization": format!("{EXTENSION} {jwt}") }).to_string();
    tokio::spawn(async move { while viewer.socket.try_send(&frame).await {} })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_who_behaves_is_closed_or_loses_anything_beside_those_who_do_not() {
    let server = Server::start_with(|settings| {
        settings.limits.outbound_queue_bytes_max = 65_536;
        settings.timeouts.socket_silence_ms_max = 3_600_000;
    })
    .await;
    let address = server.address(EdgeName::SandboxRest);
    let jwt = server.token("viewer", CHANNEL, "88").await;
    let (mut slow, mut halves, mut floods_of) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..BAD {
        let of_slow = server.token("viewer", CHANNEL, "99").await;
        slow.push(Viewer::with(&server, Stage::Sandbox, EXTENSION, &of_slow).await);
        slow.push(Viewer::connect(&server, Stage::Sandbox).await);
        halves.push(TcpStream::connect(address).await.unwrap());
        let mut half = TcpStream::connect(address).await.unwrap();
        half.write_all(b"GET /v1/viewer HTTP/1.1\r\nHo")
            .await
            .unwrap();
        halves.push(half);
        let viewer = Viewer::with(&server, Stage::Sandbox, EXTENSION, &jwt).await;
        floods_of.push(floods(viewer, &jwt));
    }
    let mut good = Vec::new();
    for _ in 0..GOOD {
        let viewer = Viewer::of(&server, Some(CHANNEL)).await;
        good.push(tokio::spawn(listens(viewer)));
    }
    let page = server.page("broadcaster", CHANNEL).await;
    // More than the system holds for those who read nothing.
    let noise = json!({ "target": "whisper-U99", "event": "e", "data": "x".repeat(4_000) });
    for n in 0..EVENTS {
        broadcast(&page, json!({ "n": n })).await;
        for _ in 0..NOISE {
            page.post("/v1/e/broadcast", &noise).await.ok();
        }
        server.advance_ms(200);
    }
    let mut still = Vec::new();
    for viewer in good {
        still.push(viewer.await.unwrap());
    }
    server
        .in_time("those who do not behave are closed", || async {
            server.app.live.sessions() == GOOD
        })
        .await;
    for flood in floods_of {
        flood.await.unwrap();
    }
    assert_eq!(still.len(), GOOD);
}
