//! Viewers who want to play, on a game's connection (`spec 2.11`).

use std::sync::Arc;

use crowdlink_core::{Caller, Error, matchmaking};
use crowdlink_protocol::{Entries, MatchmakingCall};

use super::connection::GameConnection;
use super::played::ok;
use super::reply::Echo;
use crate::events::{Stream, candidate_item};
use crate::live::Session;

impl GameConnection {
    pub(super) async fn matchmaking(
        &self,
        call: MatchmakingCall<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let core = &*self.edge.core;
        match call {
            MatchmakingCall::Subscribe => {
                return self.join(Stream::Matchmaking, caller, echo, session);
            }
            MatchmakingCall::Unsubscribe => {
                return self.leave(Stream::Matchmaking, caller, echo, session);
            }
            MatchmakingCall::Get => {
                let waiting = matchmaking::waiting(core, caller).await?;
                let entries = waiting.iter().map(candidate_item).collect();
                echo.data(session, &Entries { entries });
                return Ok(());
            }
            MatchmakingCall::Clear => matchmaking::clear(core, caller).await?,
            MatchmakingCall::Remove(id) => matchmaking::remove(core, caller, &id).await?,
        }
        ok(echo, session);
        Ok(())
    }
}
