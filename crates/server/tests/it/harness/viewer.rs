//! A viewer on the viewer socket (`spec 4.4`).

use crowdlink_protocol::Stage;
use crowdlink_server::listen::EdgeName;
use serde_json::{Value, json};

use super::listener::{Assembly, Listener};
use super::{EXTENSION, SECRET, Server, claims, dial_narrow, sign};

/// A viewer who listens.
pub struct Viewer {
    pub socket: Listener,
    scope: String,
    /// Whether it is in a channel.
    in_channel: bool,
    assembly: Assembly,
}

/// What a viewer was told.
#[derive(Debug, PartialEq)]
pub struct Told {
    pub target: String,
    pub event: String,
    pub data: Value,
}

impl Viewer {
    /// A viewer of the sandbox in a channel, or with `None` one who hears only what goes to all.
    pub async fn of(server: &Server, channel: Option<&str>) -> Self {
        let jwt = if let Some(channel) = channel {
            server.token("viewer", channel, "77").await
        } else {
            let mut claims = claims("backend", "all");
            claims["allowed_stage"] = json!("sandbox");
            sign(&claims, SECRET)
        };
        let mut viewer = Self::with(server, Stage::Sandbox, EXTENSION, &jwt).await;
        viewer.in_channel = channel.is_some();
        viewer
    }

    /// One with a token of an extension, on a stage.
    pub async fn with(server: &Server, stage: Stage, extension: &str, jwt: &str) -> Self {
        let mut viewer = Self::connect(server, stage).await;
        viewer.scope = format!("{stage}:{extension}:");
        let answer = viewer.authorize(extension, jwt).await;
        assert_eq!(answer, json!({ "ok": true }));
        viewer
    }

    /// One who has not shown a token yet.
    pub async fn connect(server: &Server, stage: Stage) -> Self {
        let name = match stage {
            Stage::Sandbox => EdgeName::SandboxRest,
            Stage::Production => EdgeName::ProductionRest,
        };
        let address = server.address(name);
        let wire = dial_narrow("127.0.0.1", address, server.trust.as_ref()).await;
        let socket = Listener::over(wire, address, "/v1/viewer").await;
        Self {
            socket: socket.unwrap(),
            scope: String::new(),
            in_channel: true,
            assembly: Assembly::default(),
        }
    }

    /// Shows a token; the answer.
    pub async fn authorize(&mut self, extension: &str, jwt: &str) -> Value {
        let frame = json!({ "authorization": format!("{extension} {jwt}") });
        self.socket.send(&frame.to_string()).await;
        self.socket.frame().await
    }

    /// The next event to everybody in the channel (or, for one of all, to all): its name and data.
    pub async fn event(&mut self) -> (String, Value) {
        let mut told = self.told().await;
        while self.in_channel && told.target == "global" {
            told = self.told().await;
        }
        let expected = if self.in_channel {
            "broadcast"
        } else {
            "global"
        };
        assert_eq!(told.target, expected);
        (told.event, told.data)
    }

    /// The next event, whomever it is for.
    pub async fn told(&mut self) -> Told {
        let mut of = None;
        loop {
            let frame = self.socket.frame().await;
            let fields: Vec<_> = frame.as_object().unwrap().keys().collect();
            assert_eq!(fields, ["target", "message"], "{frame}");
            let target = frame["target"].as_str().unwrap().to_owned();
            assert_eq!(*of.get_or_insert_with(|| target.clone()), target);
            if let Some(event) = self.assembly.take(frame["message"].as_str().unwrap()) {
                return self.parts(target, &event);
            }
        }
    }

    /// How many messages the last event came in.
    pub fn messages(&self) -> usize {
        self.assembly.messages
    }

    fn parts(&self, target: String, message: &Value) -> Told {
        let fields: Vec<_> = message.as_object().unwrap().keys().collect();
        assert_eq!(fields, ["data", "event"], "{message}");
        let event = message["event"].as_str().unwrap();
        Told {
            target,
            event: event.strip_prefix(&self.scope).unwrap().to_owned(),
            data: message["data"].clone(),
        }
    }
}
