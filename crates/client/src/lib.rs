//! A client for games: pairs with a channel by a PIN, keeps the connection, and speaks GameLink in
//! types.
#![doc = include_str!("../README.md")]

mod backoff;
mod broadcast;
mod clock;
mod config;
mod connect;
mod datastream;
mod drops;
mod error;
mod event;
mod frame;
mod game;
mod gateway;
mod link;
mod matches;
mod matchmaking;
mod offset;
mod patch;
mod polls;
mod purchases;
mod queue;
mod server;
mod state;
mod status;
mod stream;
mod token;
mod topic;

pub use backoff::Backoff;
pub use clock::{Clock, SystemClock};
pub use config::{Combined, Config};
pub use connect::{Connect, Paired};
pub use crowdlink_protocol::{ConfigTopic, PollStatus, StateTopic};
pub use drops::{DropStatus, Drops, GameDrop};
pub use error::Error;
pub use event::{AuthenticationEvent, ConfigEvent, DatastreamEvent, Event, StateEvent};
pub use frame::REQUEST_BYTES_MAX;
pub use game::Game;
pub use gateway::{
    ACTION_COUNT_INFINITE, Action, ActionCategory, ActionChange, ActionState, GameMetadata,
    GameText, Gateway,
};
pub use link::STREAMS_MAX;
pub use matches::{Match, MatchPollReport, MatchResults};
pub use matchmaking::{Candidate, Matchmaking};
pub use patch::Patch;
pub use polls::{Created, Poll, PollConfig, PollHead, PollReport, Polls};
pub use purchases::{Currency, Purchase, Transactions};
pub use queue::{EVENT_BYTES_MAX, EVENTS_MAX, Gap};
pub use server::Server;
pub use state::State;
pub use status::Status;
pub use stream::EventStream;
pub use token::{RefreshToken, TokenFile, TokenStore};
