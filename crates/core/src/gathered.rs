//! Ids that extensions choose to gather something of their audience under: of a channel, or,
//! where they start with `global`, of the extension (`spec 3.5`, `spec 3.6`).

use crowdlink_protocol::{ClientId, Stage};

use crate::error::Error;
use crate::keys;

/// The id where none is named.
pub const DEFAULT_ID: &str = "default";
/// Longest id, in characters.
const ID_CHARS_MAX: usize = 64;
/// Refuses what can be no id.
pub(crate) fn check_id(id: &str) -> Result<(), Error> {
    let chars = id.chars().take(ID_CHARS_MAX + 1).count();
    if chars == 0 || chars > ID_CHARS_MAX || id.chars().any(char::is_control) {
        let expected = format!("must be 1 to {ID_CHARS_MAX} characters, none of them a control");
        return Err(Error::invalid("id", expected));
    }
    Ok(())
}

/// `stage/extension/kind/id/`, of what every channel gathers under one id.
pub(crate) fn prefix(stage: Stage, client_id: &ClientId, kind: &str, id: &str) -> String {
    let mut key = keys::kind(stage, client_id, kind);
    keys::push_segment(&mut key, id);
    key.push('/');
    key
}

/// The key below a [`prefix`] of what a channel gathers; of the extension where there is none.
pub(crate) fn head_key(prefix: &str, channel: Option<&str>) -> String {
    let mut key = prefix.to_owned();
    match channel {
        None => key.push_str("extension"),
        Some(channel) => {
            key.push_str(CHANNELS);
            keys::push_segment(&mut key, channel);
        }
    }
    key
}

/// What stands between a [`prefix`] and a channel.
pub(crate) const CHANNELS: &str = "channel/";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caller::ID_BYTES_MAX;

    #[test]
    fn the_longest_id_in_the_longest_channel_fits_a_key_of_the_store() {
        let client_id = ClientId::new(&"\u{1F600}".repeat(100)).unwrap();
        let id = "\u{1F600}".repeat(ID_CHARS_MAX);
        check_id(&id).unwrap();
        let prefix = prefix(Stage::Production, &client_id, "accumulate", &id);
        let channel = format!("U{}", "/".repeat(ID_BYTES_MAX));
        assert!(head_key(&prefix, Some(&channel)).len() <= crowdlink_store::KEY_BYTES_MAX);
    }

    #[test]
    fn an_id_has_1_to_64_characters_and_no_control() {
        for id in ["a", "a b/c.d", &"ä".repeat(64)] {
            assert_eq!(check_id(id), Ok(()));
        }
        for id in ["", "a\nb", "\u{0}", &"ä".repeat(65)] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
    }
}
