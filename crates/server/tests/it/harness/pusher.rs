//! A page's connection to the Pusher endpoint (`spec 4.2`), sandbox only.

use crowdlink_server::listen::EdgeName;
use serde_json::{Value, json};

use super::listener::{Assembly, Listener};
use super::{EXTENSION, Server};

/// The path that the page library asks for.
pub const PUSHER_PATH: &str =
    "/app/18c26c0d1c7fafb78ba2?protocol=7&client=js&version=8.4.0&flash=false";

/// A connected page.
pub struct Pusher {
    pub socket: Listener,
    assembly: Assembly,
}

impl Pusher {
    /// Connects and reads the greeting.
    pub async fn connect(server: &Server) -> Self {
        let address = server.address(EdgeName::SandboxRest);
        let socket = Listener::connect_from("127.0.0.1", address, PUSHER_PATH).await;
        let mut pusher = Self {
            socket: socket.unwrap(),
            assembly: Assembly::default(),
        };
        let greeting = pusher.socket.frame().await;
        assert_eq!(greeting["event"], "pusher:connection_established");
        pusher
    }

    /// A page as the library makes it: on a channel, and on the one of all.
    pub async fn of(server: &Server, channel: &str) -> Self {
        let mut pusher = Self::connect(server).await;
        for name in [channel_name(channel), channel_name("all")] {
            pusher.subscribe(&name).await;
            let answer = pusher.socket.frame().await;
            let expected = json!({
                "event": "pusher_internal:subscription_succeeded", "channel": name, "data": "{}",
            });
            assert_eq!(answer, expected);
        }
        pusher
    }

    /// Asks for a channel.
    pub async fn subscribe(&mut self, name: &str) {
        self.send("pusher:subscribe", json!({ "auth": "", "channel": name }))
            .await;
    }

    /// Sends an event.
    pub async fn send(&mut self, event: &str, data: Value) {
        let frame = json!({ "event": event, "data": data });
        self.socket.send(&frame.to_string()).await;
    }

    /// The next event: channel, target, and the message as JSON.
    pub async fn told(&mut self) -> (String, String, Value) {
        let mut of = None;
        loop {
            let frame = self.socket.frame().await;
            let fields: Vec<_> = frame.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["event", "channel", "data"], "{frame}");
            let text = |field: &str| frame[field].as_str().unwrap().to_owned();
            let (channel, target) = (text("channel"), text("event"));
            let place = (channel.clone(), target.clone());
            assert_eq!(*of.get_or_insert_with(|| place.clone()), place);
            let data: Value = serde_json::from_str(&text("data")).unwrap();
            assert_eq!(data.as_object().unwrap().len(), 1, "{data}");
            if let Some(event) = self.assembly.take(data["message"].as_str().unwrap()) {
                return (channel, target, event);
            }
        }
    }
}

/// The name of a channel of the test extension.
pub fn channel_name(channel: &str) -> String {
    format!("twitch.pubsub.{EXTENSION}.{channel}")
}
