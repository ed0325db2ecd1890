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
            // Of one that is closing nobody is left to hear a refusal.
            Ok(_) | Err(SubscribeError::Closed) => Ok(()),
            Err(SubscribeError::TooMany) => Err(Error::invalid(
                "topic_id",
                "is one more than a connection may subscribe to",
            )),
        }
    }

    /// The connection hears of a document no more.
    pub(super) fn hear_no_more_of(session: &Arc<Session>, place: &Place) {
        if let Some(topic) = game_topic(place) {
            session.live().hub().unsubscribe(session, &topic);
        }
    }
}
