//! What a game does with its viewers, once it is authenticated (`spec 2.4`–`2.13`).

use std::sync::Arc;

use crowdlink_core::{Caller, Error};
use crowdlink_protocol::Call;
use serde_json::json;

use super::connection::GameConnection;
use super::reply::Echo;
use super::subscriptions::refusal;
use crate::events::Stream;
use crate::live::Session;

impl GameConnection {
    pub(super) async fn played(
        &self,
        call: Call<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        match call {
            Call::Datastream(call) => self.datastream(call, caller, echo, session),
            Call::Purchases(call) => self.purchases(call, caller, echo, session).await,
            Call::Match(call) => self.matches(call, caller, echo, session).await,
            Call::Matchmaking(call) => self.matchmaking(call, caller, echo, session).await,
            Call::Drops(call) => self.drops(call, caller, echo, session).await,
            Call::Gateway(call) => self.gateway(call, caller, echo, session).await,
            Call::State(call) => self.state(call, caller, echo, session).await,
            Call::Config(call) => self.config(call, caller, echo, session).await,
            Call::Broadcast(call) => self.broadcast(call, caller, echo, session).await,
            Call::Poll(call) => self.poll(call, caller, echo, session).await,
            Call::Authenticate(_)
            | Call::SubscribeAuthentication
            | Call::UnsubscribeAuthentication => {
                Err(Error::Internal("a call of another room".to_owned()))
            }
        }
    }

    /// Answers, and from then on tells a stream.
    pub(super) fn join(
        &self,
        stream: Stream<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let answered = || ok(echo, session);
        let joined = self
            .edge
            .pump
            .feeds
            .join(session, caller, stream, answered)?;
        let field = match stream {
            Stream::Purchases(_) => "sku",
            Stream::Datastream | Stream::Matchmaking => "target",
        };
        joined.or_else(|refused| refusal(refused, field))
    }

    /// Tells a stream no more, and answers.
    pub(super) fn leave(
        &self,
        stream: Stream<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        self.edge.pump.feeds.leave(session, caller, stream)?;
        ok(echo, session);
        Ok(())
    }
}

/// The answer to what has been done.
pub(super) fn ok(echo: Echo<'_>, session: &Arc<Session>) {
    echo.data(session, &json!({ "ok": true }));
}
