//! Polls on a game's connection (`spec 2.6`).

use std::sync::Arc;

use crowdlink_core::polls::{self, CreatePoll, PollPlace};
use crowdlink_core::{Caller, Error};
use crowdlink_protocol::{PollCall, PollCreation, PollTopic};
use serde::Serialize;
use serde_json::json;

use super::connection::GameConnection;
use super::reply::Echo;
use crate::events::{all_polls_topic, poll_topic};
use crate::live::Session;

#[derive(Serialize)]
struct Created {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale_votes: Option<i64>,
}

impl GameConnection {
    pub(super) async fn poll(
        &self,
        call: PollCall,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let core = &*self.edge.core;
        match call {
            PollCall::Create(creation) => {
                let (poll_id, poll) = created(*creation);
                let stale_votes = polls::create(core, caller, (None, &poll_id), poll).await?;
                let ok = true;
                echo.data(session, &Created { ok, stale_votes });
                return Ok(());
            }
            PollCall::Get(id) => {
                echo.data(session, &polls::report(core, caller, None, &id).await?);
                return Ok(());
            }
            PollCall::Reconfigure(id, config) => {
                polls::reconfigure(core, caller, (None, &id), config).await?;
            }
            PollCall::Delete(id) => polls::delete(core, caller, None, &id).await?,
            PollCall::Subscribe(PollTopic::One(id)) => {
                let place = subscribed(caller, &id)?;
                // What happens before it is watched is no news.
                self.edge.pump.polls().watch(&place).await?;
                Self::subscribe(session, &poll_topic(&place))?;
            }
            PollCall::Subscribe(PollTopic::All) => {
                let channel = caller.channel(None)?;
                let of = (caller.stage, caller.client_id());
                self.edge.pump.polls().watch_all(of, channel).await?;
                Self::subscribe(session, &all_polls_topic(of, channel))?;
            }
            PollCall::Unsubscribe(PollTopic::One(id)) => {
                let place = subscribed(caller, &id)?;
                session
                    .live()
                    .hub()
                    .unsubscribe(session, &poll_topic(&place));
            }
            PollCall::Unsubscribe(PollTopic::All) => {
                let of = (caller.stage, caller.client_id());
                let topic = all_polls_topic(of, caller.channel(None)?);
                session.live().hub().unsubscribe(session, &topic);
            }
        }
        echo.data(session, &json!({ "ok": true }));
        Ok(())
    }
}

/// The id of a poll to be created, and the poll.
pub(super) fn created(creation: PollCreation) -> (String, CreatePoll) {
    let PollCreation {
        poll_id,
        definition,
        config,
        fresh,
    } = creation;
    let poll = CreatePoll {
        definition,
        config,
        fresh,
    };
    (poll_id, poll)
}

/// The poll of a subscription, which names it otherwise than the other requests do.
fn subscribed(caller: &Caller, id: &str) -> Result<PollPlace, Error> {
    PollPlace::of(caller, None, id).map_err(|error| {
        if let Error::Invalid { field, expected } = &error
            && field == "poll_id"
        {
            return Error::invalid("topic_id", expected.clone());
        }
        error
    })
}
