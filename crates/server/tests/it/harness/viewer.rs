//! One who hears what viewers of the sandbox are sent, on a live session without an edge.

use std::time::Duration;

use crowdlink_protocol::{ClientId, Stage};
use crowdlink_server::events::viewer_topic;
use crowdlink_server::live::{Flow, Handler, Message, Session};
use futures::StreamExt;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message as Wire;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::{EXTENSION, Server};

const PATIENCE: Duration = Duration::from_secs(10);

/// A viewer who listens.
pub struct Viewer {
    socket: WebSocketStream<TcpStream>,
}

/// Says nothing.
struct Silent;

impl Handler for Silent {
    async fn message(&mut self, _: Message<'_>, _: &std::sync::Arc<Session>) -> Flow {
        Flow::Continue
    }
}

impl Viewer {
    /// Hears what goes to a channel, or with `None` to all.
    pub async fn of(server: &Server, channel: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let session = server.app.live.open(stream, &[], peer, Silent);
        let extension = ClientId::new(EXTENSION).unwrap();
        let topic = viewer_topic(Stage::Sandbox, &extension, channel);
        server.app.live.hub().subscribe(&session, &topic).unwrap();
        let socket = WebSocketStream::from_raw_socket(client, Role::Client, None).await;
        Self { socket }
    }

    /// The next event: its name and data.
    pub async fn event(&mut self) -> (String, Value) {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await;
            match next.expect("no event comes").unwrap().unwrap() {
                Wire::Text(text) => return parts(&text),
                Wire::Ping(_) => {}
                other @ (Wire::Binary(_) | Wire::Pong(_) | Wire::Close(_) | Wire::Frame(_)) => {
                    panic!("unexpected {other:?}")
                }
            }
        }
    }
}

/// The message text of `spec 4.1`.
fn parts(text: &str) -> (String, Value) {
    let message: Value = serde_json::from_str(text).unwrap();
    let fields: Vec<_> = message.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["data", "event"], "{text}");
    let event = message["event"].as_str().unwrap();
    let name = event.strip_prefix(&format!("sandbox:{EXTENSION}:"));
    (name.unwrap().to_owned(), message["data"].clone())
}
