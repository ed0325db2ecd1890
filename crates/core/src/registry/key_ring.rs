//! The deployment's own keys.

use serde::{Deserialize, Serialize};

use crate::random::{self, Random};
use crate::secret::{Secret, hex};

/// Keys that sign tokens minted here, and one that pseudonyms and PIN hashes rest on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyRing {
    /// Newest first; the newest signs.
    keys: Vec<RingKey>,
    /// Never rotated: pseudonyms must stay the same.
    pub(crate) pepper: Secret,
}

/// One key of the ring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RingKey {
    /// What the token's header calls it.
    pub(crate) kid: String,
    pub(crate) secret: Secret,
    /// Unix ms.
    pub(crate) created_at: i64,
    /// From when on it verifies no more (Unix ms): when all it signed has expired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retire_at: Option<i64>,
}

impl RingKey {
    fn generate(random: &dyn Random, now_ms: i64) -> Self {
        Self {
            kid: hex(&random::bytes::<8>(random)),
            secret: Secret::generate(random),
            created_at: now_ms,
            retire_at: None,
        }
    }
}

impl KeyRing {
    /// A ring of one key.
    pub(crate) fn generate(random: &dyn Random, now_ms: i64) -> Self {
        Self {
            keys: vec![RingKey::generate(random, now_ms)],
            pepper: Secret::generate(random),
        }
    }

    /// The key that signs now.
    pub(crate) fn signer(&self) -> Option<&RingKey> {
        self.keys.first()
    }

    /// All of them, retired ones too.
    pub(crate) fn keys(&self) -> &[RingKey] {
        &self.keys
    }

    /// The key of a name, while it verifies.
    pub(crate) fn verifier(&self, kid: &str, now_ms: i64) -> Option<&RingKey> {
        let key = self.keys.iter().find(|key| key.kid == kid)?;
        key.retire_at
            .is_none_or(|retire_at| now_ms < retire_at)
            .then_some(key)
    }

    /// Puts a new key in front. The others verify until what they signed has expired; those that
    /// have nothing left to verify go.
    pub(crate) fn rotate(&mut self, random: &dyn Random, now_ms: i64, overlap_ms: u64) {
        self.keys
            .retain(|key| key.retire_at.is_none_or(|retire_at| now_ms < retire_at));
        for key in &mut self.keys {
            key.retire_at
                .get_or_insert(now_ms.saturating_add_unsigned(overlap_ms));
        }
        self.keys.insert(0, RingKey::generate(random, now_ms));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SeededRandom;

    #[test]
    fn a_rotated_key_verifies_until_its_overlap_is_over() {
        let random = SeededRandom::from_seed(1);
        let mut ring = KeyRing::generate(&random, 0);
        let old = ring.signer().unwrap().kid.clone();
        ring.rotate(&random, 1_000, 500);
        assert_ne!(ring.signer().unwrap().kid, old);
        assert!(ring.verifier(&old, 1_499).is_some());
        assert!(ring.verifier(&old, 1_500).is_none());
        ring.rotate(&random, 2_000, 500);
        assert_eq!(ring.keys.len(), 2);
    }
}
