//! PINs: how they are made, kept and found (`spec 1.3`, PIN rules).

use crowdlink_protocol::{ClientId, Stage};
use crowdlink_store::{Commit, Expect};
use serde::{Deserialize, Serialize};

use crate::core::Core;
use crate::error::Error;
use crate::random::{self, Random};
use crate::secret::hex;
use crate::table::{Stored, Table, encode};
use crate::world::CONFLICT_TRIES_MAX;

/// The characters of a PIN: none that people confuse, upper case only, for some games fold what
/// the player types.
pub const PIN_ALPHABET: &[u8; 30] = b"ABCDEFGHJKMNPQRSTUVWXYZ2346789";
/// How many of them.
pub const PIN_CHARS: usize = 6;
/// Longest text that is looked at as a PIN, in bytes.
const PIN_TEXT_BYTES_MAX: usize = 64;

/// Both directions share one key space, so that a PIN never collides with a live one.
pub(super) const PINS: Table<PinRecord> = Table::new("pin");

/// What a PIN is worth.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PinRecord {
    /// Direction A: a channel, for the game that redeems it.
    Channel(String),
    /// Direction B: a game's grant, for the broadcaster who redeems it.
    Grant(String),
}

/// A random PIN.
fn generate(random: &dyn Random) -> String {
    let character = |_| {
        let index = usize::from(random::below(random, 30));
        char::from(PIN_ALPHABET.get(index).copied().unwrap_or(b'A'))
    };
    (0..PIN_CHARS).map(character).collect()
}

/// The key of a PIN: it is stored as a keyed hash only.
fn key_of(core: &Core, stage: Stage, client_id: &ClientId, pin: &str) -> String {
    let parts = ["pin", stage.as_str(), client_id.as_str(), pin];
    let hash = core.registry().ring.pepper.keyed_hash(&parts);
    PINS.key(stage, client_id, &[&hex(&hash)])
}

/// Commits a new PIN together with what else `also` adds, given the PIN's key and expiry.
pub(super) async fn create(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    record: &PinRecord,
    also: impl Fn(Commit, &str, i64) -> Result<Commit, Error>,
) -> Result<String, Error> {
    let expires_at_ms = core
        .world
        .now_ms()
        .saturating_add_unsigned(core.lifetimes.pin_ms);
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let pin = generate(&*core.world.random);
        let key = key_of(core, stage, client_id, &pin);
        let commit = Commit::new().check(&key, Expect::Absent).put(
            &key,
            encode(record)?,
            Some(expires_at_ms),
        );
        if core
            .world
            .try_commit(also(commit, &key, expires_at_ms)?)
            .await?
            .is_some()
        {
            return Ok(pin);
        }
        core.world.pause_before_retry(attempt).await?;
    }
    Err(Error::Internal("no free PIN was found".into()))
}

/// The live record of what somebody typed: surrounding white space is trimmed, case never folded.
/// Wrong, used, expired and foreign PINs all cost the same look-up.
pub(super) async fn find(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    typed: &str,
) -> Result<Option<Stored<PinRecord>>, Error> {
    let pin = typed.trim();
    if pin.len() > PIN_TEXT_BYTES_MAX {
        return Ok(None);
    }
    PINS.get(&*core.world.store, &key_of(core, stage, client_id, pin))
        .await
}

/// Adds "redeemed, once" to a commit.
pub(super) fn redeem(commit: Commit, pin: &Stored<PinRecord>) -> Commit {
    commit
        .check(&pin.key, Expect::Version(pin.version))
        .delete(&pin.key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn a_pin_has_six_of_thirty_characters() {
        let random = SeededRandom::from_seed(7);
        for _ in 0..1_000 {
            let pin = generate(&random);
            assert_eq!(pin.len(), PIN_CHARS);
            assert!(
                pin.bytes().all(|byte| PIN_ALPHABET.contains(&byte)),
                "{pin}"
            );
        }
    }
}
