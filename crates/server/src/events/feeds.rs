//! What is told to games as it comes, and never coalesced: what viewers send, buy and ask for
//! (`spec 2.8`, `spec 2.9`, `spec 2.11`).
//!
//! A game that is too slow for its stream is closed by the bounds of its outbound queue
//! (`spec 5`: 4 MiB or 10 s behind, 1013); the others get everything.

use std::sync::Arc;

use crowdlink_core::datastream::Streamed;
use crowdlink_core::matchmaking::{Candidate, Joined};
use crowdlink_core::purchases::{Purchased, Settled};
use crowdlink_core::{Caller, Error};
use crowdlink_protocol::{CandidateItem, ClientId, Stage, encode_event};

use super::datastream::Datastream;
use super::purchases::Purchases;
use crate::live::{Frame, Live, Session, SubscribeError};

/// The SKU that stands for all.
const ALL_SKUS: &str = "*";

/// What a game can hear of in its channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream<'a> {
    /// What viewers send.
    Datastream,
    /// Purchases of a SKU; `*` is every SKU.
    Purchases(&'a str),
    /// Viewers who want to play.
    Matchmaking,
}

impl Stream<'_> {
    /// Its topic on the hub. No part can hold a line break.
    pub(super) fn topic(self, stage: Stage, client_id: &ClientId, channel: &str) -> String {
        let (kind, rest) = match self {
            Self::Datastream => ("datastream", ""),
            Self::Purchases(sku) => ("purchases", sku),
            Self::Matchmaking => ("matchmaking", ""),
        };
        format!("games\n{stage}\n{client_id}\n{kind}\n{channel}\n{rest}")
    }

    fn topic_for(self, caller: &Caller) -> Result<String, Error> {
        let channel = caller.broadcaster_channel()?;
        Ok(self.topic(caller.stage, caller.client_id(), channel))
    }
}

/// Carries streams to games.
#[derive(Debug)]
pub struct Feeds {
    live: Arc<Live>,
    datastream: Datastream,
    purchases: Purchases,
}

impl Feeds {
    pub(super) fn new(live: &Arc<Live>) -> Self {
        Self {
            live: Arc::clone(live),
            datastream: Datastream::new(live),
            purchases: Purchases::new(live),
        }
    }

    /// From now on a game hears of a stream of its channel. `answered` is called before the first
    /// event can come.
    pub fn join(
        &self,
        session: &Arc<Session>,
        caller: &Caller,
        stream: Stream<'_>,
        answered: impl FnOnce(),
    ) -> Result<Result<(), SubscribeError>, Error> {
        let topic = stream.topic_for(caller)?;
        Ok(match stream {
            Stream::Datastream => self.datastream.join(session, &topic, answered),
            Stream::Purchases(_) => self.purchases.join(session, &topic, answered),
            Stream::Matchmaking => self
                .live
                .hub()
                .subscribe(session, &topic)
                .map(|_| answered()),
        })
    }

    /// A game hears of a stream no more.
    pub fn leave(
        &self,
        session: &Session,
        caller: &Caller,
        stream: Stream<'_>,
    ) -> Result<(), Error> {
        self.live
            .hub()
            .unsubscribe(session, &stream.topic_for(caller)?);
        Ok(())
    }

    pub(super) fn streamed(&self, streamed: Streamed) {
        let Streamed {
            stage,
            client_id,
            channel,
            event,
            at_ms,
            ..
        } = streamed;
        let topic = Stream::Datastream.topic(stage, &client_id, &channel);
        self.datastream.push(topic, event, at_ms);
    }

    pub(super) fn purchased(&self, purchased: &Purchased) {
        let Purchased {
            stage,
            client_id,
            channel,
            transaction,
        } = purchased;
        let topic = |sku| Stream::Purchases(sku).topic(*stage, client_id, channel);
        let topics = [topic(ALL_SKUS), topic(&transaction.sku)];
        self.purchases.tell(topics, transaction);
    }

    pub(super) fn settled(&self, settled: &Settled) {
        self.purchases.settled(&settled.muxy_id);
    }

    pub(super) fn joined(&self, joined: &Joined) {
        let Joined {
            stage,
            client_id,
            channel,
            candidate,
        } = joined;
        let topic = Stream::Matchmaking.topic(*stage, client_id, channel);
        let now_ms = self.live.clock().now_ms();
        match encode_event("matchmaking", now_ms, &candidate_item(candidate)) {
            Ok(text) => {
                self.live.hub().publish(&topic, &Frame::text(&text));
            }
            Err(error) => tracing::error!(%error, "an event could not be encoded"),
        }
    }

    pub(super) async fn run(&self) {
        self.datastream.run().await;
    }
}

/// A viewer who wants to play, as games are told.
pub(crate) fn candidate_item(candidate: &Candidate) -> CandidateItem<'_> {
    CandidateItem {
        data: &candidate.data,
        twitch_username: &candidate.username,
        twitch_id: &candidate.user_id,
        timestamp: candidate.at_ms / 1_000,
        is_follower: false,
        subscription_tier: 0,
        bits_spent: candidate.bits,
    }
}
