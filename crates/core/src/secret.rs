//! Key material: it signs and verifies, and does not print.

use std::fmt;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::GeneralPurposeConfig;
use base64::engine::{DecodePaddingMode, general_purpose};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::random::{self, Random};

/// Shortest secret accepted, in bytes: RFC 8725 3.5 asks for as much entropy as the hash has, the
/// platform issues 32; shorter ones are kept working down to this.
pub const SECRET_BYTES_MIN: usize = 16;

/// Padding optional: operators paste secrets with and without.
const LENIENT: general_purpose::GeneralPurpose = general_purpose::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Bytes that nobody may see. Written to the store as base64, and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// 32 random bytes.
    pub fn generate(random: &dyn Random) -> Self {
        Self(Zeroizing::new(random::bytes::<32>(random).to_vec()))
    }

    /// Reads base64 as the streaming platform issues it.
    pub fn from_base64(text: &str) -> Result<Self, String> {
        let bytes = Zeroizing::new(LENIENT.decode(text.trim()).map_err(|_| "is not base64")?);
        if bytes.len() < SECRET_BYTES_MIN {
            return Err(format!("is shorter than {SECRET_BYTES_MIN} bytes"));
        }
        Ok(Self(bytes))
    }

    /// The one way out, for the operator who asked for it.
    pub fn to_base64(&self) -> String {
        general_purpose::STANDARD.encode(&*self.0)
    }

    /// Signs as HS256, in base64url.
    pub(crate) fn sign(&self, message: &str) -> Result<String, jsonwebtoken::errors::Error> {
        let key = EncodingKey::from_secret(&self.0);
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256)
    }

    /// Whether an HS256 signature is this key's; compares in constant time.
    pub(crate) fn verifies(&self, message: &str, signature: &str) -> bool {
        let key = DecodingKey::from_secret(&self.0);
        jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, Algorithm::HS256)
            .unwrap_or(false)
    }

    /// Whether somebody signed with the base64 text of this key, as happens who forgets to decode
    /// it. For explanations only.
    pub(crate) fn text_verifies(&self, message: &str, signature: &str) -> bool {
        let text = Zeroizing::new(self.to_base64());
        Self(Zeroizing::new(text.as_bytes().to_vec())).verifies(message, signature)
    }

    /// A keyed hash of several parts, which cannot run into each other.
    pub(crate) fn keyed_hash(&self, parts: &[&str]) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.0);
        let mut context = hmac::Context::with_key(&key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(context.sign().as_ref());
        hash
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_base64())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        Self::from_base64(&text).map_err(serde::de::Error::custom)
    }
}

/// SHA-256, for tokens of 256 random bits: nothing slower is needed for those.
pub(crate) fn sha256(text: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, text).as_ref());
    hash
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(hex_digit)
        .collect()
}

fn hex_digit(nibble: u8) -> char {
    char::from_digit(u32::from(nibble), 16).unwrap_or('0')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::from_base64("c2VjcmV0c2VjcmV0c2VjcmV0").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[test]
    fn secrets_are_read_with_and_without_padding_but_never_short() {
        assert!(Secret::from_base64("AAAAAAAAAAAAAAAAAAAAAA==").is_ok());
        assert!(Secret::from_base64(" AAAAAAAAAAAAAAAAAAAAAA\n").is_ok());
        for bad in ["", "AAAA", "%%%%", "AAAAAAAAAAAAAAAAAAAA"] {
            assert!(Secret::from_base64(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parts_of_a_keyed_hash_cannot_run_into_each_other() {
        let secret = Secret::from_base64("AAAAAAAAAAAAAAAAAAAAAA==").unwrap();
        assert_ne!(
            secret.keyed_hash(&["ab", "c"]),
            secret.keyed_hash(&["a", "bc"])
        );
    }
}
