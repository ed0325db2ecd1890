//! Names of channels: `twitch.pubsub.<client id>.<channel id>`, and `….all`.

use crowdlink_core::check_id;
use crowdlink_protocol::{ClientId, Stage};

use crate::events::Audience;

const PREFIX: &str = "twitch.pubsub.";
const ALL: &str = "all";

/// The audience that a channel's name stands for; `None` for any other name. The last part is the
/// channel's id: the platform's have no dots, client ids may.
pub(super) fn audience_of(name: &str) -> Option<Audience> {
    let (client_id, channel) = name.strip_prefix(PREFIX)?.rsplit_once('.')?;
    if channel.is_empty() || check_id("channel", channel).is_err() {
        return None;
    }
    Some(Audience {
        stage: Stage::Sandbox,
        client_id: ClientId::new(client_id).ok()?,
        channel: (channel != ALL).then(|| channel.to_owned()),
    })
}

/// The name of an audience's channel.
pub(super) fn name_of(audience: &Audience) -> String {
    let channel = audience.channel.as_deref().unwrap_or(ALL);
    format!("{PREFIX}{}.{channel}", audience.client_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_is_written() {
        for (name, all) in [
            ("twitch.pubsub.x.42", false),
            ("twitch.pubsub.x.all", true),
            ("twitch.pubsub.all.all", true),
            ("twitch.pubsub.with.dots.42", false),
        ] {
            let audience = audience_of(name).unwrap();
            assert_eq!(audience.channel.is_none(), all);
            assert_eq!(name_of(&audience), name);
        }
    }

    #[test]
    fn other_names_stand_for_nothing() {
        let long = format!("twitch.pubsub.x.{}", "4".repeat(200));
        for name in [
            "",
            "x",
            "twitch.pubsub.",
            "twitch.pubsub.x",
            "twitch.pubsub.x.",
            "twitch.pubsub..42",
            "private-twitch.pubsub.x.42",
            "twitch.pubsub.x y.42",
            "twitch.pubsub.x.4\n2",
            &long,
        ] {
            assert_eq!(audience_of(name), None, "{name:?}");
        }
    }
}
