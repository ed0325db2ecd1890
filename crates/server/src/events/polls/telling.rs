//! Sending what is to be told of a poll.

use crowdlink_core::polls::{PollPlace, PollSnapshot};
use crowdlink_protocol::encode_event;
use serde::Serialize;
use serde_json::json;

use super::track::Telling;
use super::{PollPump, audience, game_topics};
use crate::events::ways::Kind;
use crate::live::Frame;

impl PollPump {
    pub(super) fn tell(&self, place: &PollPlace, poll: &PollSnapshot, telling: Telling) {
        if telling.games {
            self.tell_games(place, poll);
        }
        if telling.poll_update {
            self.tell_viewers(place, "poll_update", &poll.report, Kind::Step);
        }
        if telling.vote_update {
            let data = json!({ "id": place.id, "stats": poll.numbers });
            self.tell_viewers(place, "vote_update", &data, Kind::State);
        }
    }

    pub(super) fn tell_deleted(&self, place: &PollPlace) {
        let data = json!({ "topic_id": place.id, "deleted": true });
        self.tell_viewers(place, "poll_update", &data, Kind::Step);
    }

    fn tell_games(&self, place: &PollPlace, poll: &PollSnapshot) {
        match encode_event("poll", self.live.clock().now_ms(), &poll.report) {
            Ok(text) => {
                let topics = game_topics(place);
                self.live.hub().publish_to_any(&topics, &Frame::text(&text));
            }
            Err(error) => tracing::error!(%error, "an event could not be encoded"),
        }
    }

    fn tell_viewers<T: Serialize>(&self, place: &PollPlace, name: &str, data: &T, kind: Kind) {
        let name = format!("{name}:{}", place.id);
        if let Err(error) = self.viewers.tell(audience(place), &name, data, kind) {
            tracing::error!(%error, name, "an event could not be encoded");
        }
    }
}
