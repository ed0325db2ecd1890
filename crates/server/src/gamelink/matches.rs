//! Matches and their polls on a game's connection (`spec 2.10`).

use std::sync::Arc;

use crowdlink_core::broadcast::Outgoing;
use crowdlink_core::matches::{self, MatchPlace};
use crowdlink_core::{Caller, Error};
use crowdlink_protocol::MatchCall;

use super::connection::GameConnection;
use super::played::ok;
use super::poll::created;
use super::reply::Echo;
use crate::events::match_polls_topic;
use crate::live::Session;

impl GameConnection {
    pub(super) async fn matches(
        &self,
        call: MatchCall<'_>,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        let core = &*self.edge.core;
        match call {
            MatchCall::Create(id) => matches::create(core, caller, &id).await?,
            MatchCall::Keepalive(id) => matches::keepalive(core, caller, &id).await?,
            MatchCall::AddChannels(id, channels) => {
                matches::add_channels(core, caller, &id, &channels).await?;
            }
            MatchCall::RemoveChannels(id, channels) => {
                matches::remove_channels(core, caller, &id, &channels).await?;
            }
            MatchCall::Broadcast { id, topic, data } => {
                let outgoing = Outgoing {
                    event: &topic,
                    data: Some(data.0),
                };
                matches::broadcast(core, caller, &id, outgoing).await?;
            }
            MatchCall::CreatePoll(id, creation) => {
                let (poll_id, poll) = created(*creation);
                matches::create_poll(core, caller, (&id, &poll_id), poll).await?;
            }
            MatchCall::ReconfigurePoll(id, poll_id, config) => {
                matches::reconfigure_poll(core, caller, (&id, &poll_id), config).await?;
            }
            MatchCall::DeletePoll(id, poll_id) => {
                matches::delete_poll(core, caller, (&id, &poll_id)).await?;
            }
            MatchCall::SubscribePolls(id) => {
                let place = matches::subscribable(core, caller, &id).await?;
                self.hear_of_match(session, &place).await?;
            }
            MatchCall::UnsubscribePolls(id) => {
                let topic = match_polls_topic(&MatchPlace::of(caller, &id)?);
                session.live().hub().unsubscribe(session, &topic);
            }
        }
        ok(echo, session);
        Ok(())
    }

    /// First on the list, then what is there is read: what happens meanwhile is not missed.
    async fn hear_of_match(&self, session: &Arc<Session>, place: &MatchPlace) -> Result<(), Error> {
        let topic = match_polls_topic(place);
        Self::subscribe(session, &topic)?;
        let watched = self.edge.pump.polls().matches().watch(place).await;
        watched.inspect_err(|_| {
            session.live().hub().unsubscribe(session, &topic);
        })
    }
}
