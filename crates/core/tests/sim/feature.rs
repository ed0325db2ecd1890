//! What the simulation does with one feature, and what it holds it to.

use std::sync::Arc;

use crowdlink_core::{Caller, Core, Error};
use crowdlink_protocol::{Claims, ClientId, Role, Stage};
use futures::future::BoxFuture;

use crate::dice::Dice;
use crate::history::Clerk;
use crate::node::{Ground, Node};

/// The extension that everything but its secrets is about.
pub const CLIENT: &str = "e";
pub const STAGE: Stage = Stage::Sandbox;

/// A chance to do something on a node.
pub struct Turn<'a> {
    pub dice: &'a mut Dice,
    pub node: &'a Node,
    pub core: Arc<Core>,
    pub clerk: &'a Clerk,
    pub ground: &'a Ground,
}

impl Turn<'_> {
    /// True ms since the beginning.
    pub fn now_ms(&self) -> u64 {
        self.ground.time.now_ms()
    }

    /// Lets a call go its way on the node.
    pub fn spawn(&self, call: impl Future<Output = ()> + Send + 'static) {
        self.node.spawn(call);
    }
}

pub trait Feature {
    /// Prepares things, where nothing fails.
    fn set_up(&mut self, core: Arc<Core>) -> BoxFuture<'static, Result<(), Error>> {
        let _ = core;
        Box::pin(async { Ok(()) })
    }

    /// Begins one call, or none.
    fn act(&mut self, turn: &mut Turn<'_>);

    /// Begins reads of everything: nothing fails any more, and nobody writes.
    fn read_all(&mut self, turn: &mut Turn<'_>);

    /// Whether all of it was right.
    fn verify(&self, ground: &Ground) -> Result<(), String>;
}

pub fn client_id() -> ClientId {
    ClientId::new(CLIENT).unwrap()
}

/// Somebody in a channel.
pub async fn caller(core: &Core, role: Role, channel: &str, user: &str) -> Caller {
    let extension = core.extension(STAGE, &client_id()).await.unwrap().unwrap();
    let claims = Claims {
        role: Some(role),
        channel_id: Some(channel.to_owned()),
        user_id: Some(user.to_owned()),
        opaque_user_id: Some(format!("U{user}")),
        ..Claims::default()
    };
    Caller::from_claims(STAGE, extension, claims, i64::MAX).unwrap()
}

/// Whoever runs a channel.
pub async fn broadcaster(core: &Core, channel: &str) -> Caller {
    caller(core, Role::Broadcaster, channel, channel).await
}

/// The extension's own server.
pub async fn server(core: &Core, channel: &str) -> Caller {
    caller(core, Role::Admin, channel, "server").await
}
