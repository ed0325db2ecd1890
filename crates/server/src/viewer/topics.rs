//! Where in the hub viewers hear of things. Ids are free text without control characters: a line
//! break keeps two of them apart.

use crate::events::Audience;

/// What everybody of an audience hears.
pub(super) fn everybody(audience: &Audience) -> String {
    of("viewers", audience)
}

/// What one viewer of an audience hears, by opaque id.
pub(super) fn whisper(audience: &Audience, opaque: &str) -> String {
    let mut topic = of("whispers", audience);
    topic.push('\n');
    topic.push_str(opaque);
    topic
}

/// What a Pusher channel hears.
pub(super) fn pusher(audience: &Audience) -> String {
    of("pusher", audience)
}

fn of(kind: &str, audience: &Audience) -> String {
    let (stage, client_id) = (audience.stage, &audience.client_id);
    match &audience.channel {
        None => format!("{kind}/{stage}/{client_id}/all"),
        Some(channel) => format!("{kind}/{stage}/{client_id}/channel/{channel}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use crowdlink_protocol::{ClientId, Stage};

    use super::*;

    #[test]
    fn no_two_audiences_and_no_two_viewers_share_a_topic() {
        let mut topics = HashSet::new();
        let mut count = 0;
        for stage in [Stage::Sandbox, Stage::Production] {
            for client_id in ["x", "all", "channel"] {
                for channel in [
                    None,
                    Some("all"),
                    Some("4"),
                    Some("4/U"),
                    Some("x/channel/4"),
                ] {
                    let audience = Audience {
                        stage,
                        client_id: ClientId::new(client_id).unwrap(),
                        channel: channel.map(str::to_owned),
                    };
                    topics.insert(everybody(&audience));
                    topics.insert(pusher(&audience));
                    for opaque in ["U", "U/4", "/U"] {
                        topics.insert(whisper(&audience, opaque));
                    }
                    count += 5;
                }
            }
        }
        assert_eq!(topics.len(), count);
    }
}
