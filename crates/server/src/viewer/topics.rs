//! Where in the hub viewers hear of things. Ids are free text without control characters: a line
//! break keeps two of them apart.

use crowdlink_protocol::ClientId;

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

/// Whose topic that is which [`everybody`] made, or [`pusher`].
pub(super) fn audience(topic: &str) -> Option<Audience> {
    // Neither a stage nor a client id holds a slash.
    let mut parts = topic.splitn(4, '/').skip(1);
    let stage = parts.next()?.parse().ok()?;
    let client_id = ClientId::new(parts.next()?).ok()?;
    let rest = parts.next()?;
    let channel = match rest.strip_prefix("channel/") {
        None if rest == "all" => None,
        None => return None,
        Some(channel) => Some(channel.to_owned()),
    };
    Some(Audience {
        stage,
        client_id,
        channel,
    })
}

/// What the topics of [`everybody`] begin with.
pub(super) const EVERYBODY: &str = "viewers/";
/// What the topics of [`pusher`] begin with.
pub(super) const PUSHER: &str = "pusher/";

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
                    for (topic, prefix) in [
                        (everybody(&audience), EVERYBODY),
                        (pusher(&audience), PUSHER),
                    ] {
                        assert!(topic.starts_with(prefix), "{topic}");
                        assert_eq!(super::audience(&topic).as_ref(), Some(&audience));
                        topics.insert(topic);
                    }
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
