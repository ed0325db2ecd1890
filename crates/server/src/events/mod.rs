//! From a commit to those who subscribed: games at once, viewers at a measured pace (`spec 2.4`,
//! `spec 4.3`).
//!
//! A notice of a change carries no content. The pump reads the document when it gets to it, so of
//! many changes in a row the last is told and none before it comes after it. What is for viewers
//! leaves by every [`WayOut`] there is.

mod datastream;
mod due;
mod feeds;
mod frames;
mod missed;
mod newest;
mod polls;
mod pump;
mod purchases;
mod ways;

pub(crate) use feeds::candidate_item;
pub use feeds::{Feeds, Stream};
pub use frames::game_topic;
pub use polls::{MatchPump, PollPump, PollRhythm, all_polls_topic, match_polls_topic, poll_topic};
pub use pump::Pump;
pub(crate) use purchases::transaction_item;
pub use ways::{Audience, Kind, ViewerEvent, ViewerMetrics, Viewers, WayLabel, WayOut};
