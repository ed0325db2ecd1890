//! What a game's connection hears of.

use std::sync::Arc;

use crowdlink_core::{Error, Place};

use super::connection::GameConnection;
use crate::events::game_topic;
use crate::live::{Session, SubscribeError};

impl GameConnection {
    /// From now on the connection hears of each change of a document.
    pub(super) fn hear_of(&self, session: &Arc<Session>, place: Place) -> Result<(), Error> {
        let Some(topic) = game_topic(&place) else {
            return Err(Error::Internal("a document without a topic".to_owned()));
        };
        Self::subscribe(session, &topic)?;
        self.edge.pump.watch(place);
        Ok(())
    }

    /// From now on the connection hears of what is published under a topic.
    pub(super) fn subscribe(session: &Arc<Session>, topic: &str) -> Result<(), Error> {
        match session.live().hub().subscribe(session, topic) {
            Ok(_) => Ok(()),
            Err(refused) => refusal(refused, "topic_id"),
        }
    }

    /// The connection hears of a document no more.
    pub(super) fn hear_no_more_of(session: &Arc<Session>, place: &Place) {
        if let Some(topic) = game_topic(place) {
            session.live().hub().unsubscribe(session, &topic);
        }
    }
}

/// What a game is told of a subscription that did not come about.
pub(super) fn refusal(refused: SubscribeError, field: &'static str) -> Result<(), Error> {
    match refused {
        SubscribeError::TooMany => Err(Error::invalid(
            field,
            "is one more than a connection may subscribe to",
        )),
        // Nobody is left to hear the refusal either.
        SubscribeError::Closed => Ok(()),
    }
}
