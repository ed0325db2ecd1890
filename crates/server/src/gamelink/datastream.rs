//! What viewers send, on a game's connection (`spec 2.8`).

use std::sync::Arc;

use crowdlink_core::{Caller, Error};
use crowdlink_protocol::DatastreamCall;

use super::connection::GameConnection;
use super::reply::Echo;
use crate::events::Stream;
use crate::live::Session;

impl GameConnection {
    pub(super) fn datastream(
        &self,
        call: DatastreamCall,
        caller: &Caller,
        echo: Echo<'_>,
        session: &Arc<Session>,
    ) -> Result<(), Error> {
        match call {
            DatastreamCall::Subscribe => self.join(Stream::Datastream, caller, echo, session),
            DatastreamCall::Unsubscribe => self.leave(Stream::Datastream, caller, echo, session),
        }
    }
}
