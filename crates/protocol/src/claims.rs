//! The claims of a token (`spec 1.2`), read strictly and written so that browsers can read them.

use std::fmt::{self, Write as _};

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::map::Entry;
use serde_json::{Map, Value};

use crate::role::Role;

/// What a token says. Times are whole seconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Claims {
    /// Who minted it; not looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// When it was minted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<i64>,
    /// From when on it is valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// When it ends; a token without is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exp: Option<i64>,
    /// `sandbox`, or absent for production.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_stage: Option<String>,
    /// The extension the token is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
    /// The channel, or `all`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel_id: Option<String>,
    /// The user, where identity is shared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The user's opaque id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opaque_user_id: Option<String>,
    /// What its holder may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// Id of the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// Id of its family (`spec 1.4`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fam: Option<String>,
    /// Id of the PIN grant it hangs on (`spec 1.3` B).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
    /// The extension, under the name it has in a request for an exchange (`spec 1.4`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identifier: Option<String>,
    /// Platform claims and whatever else stood there.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// Why a payload holds no claims.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ClaimsError(String);

impl Claims {
    /// Reads a payload. Duplicate keys at any depth, claims of a wrong type and unknown roles are
    /// refused (`spec 1.2`, `spec 5`).
    pub fn parse(payload: &[u8]) -> Result<Self, ClaimsError> {
        // In one go: `Deserialize` would buffer every claim, and every new viewer's token comes
        // through here.
        parse_whole(payload, ClaimsSeed)
    }
}

/// Reads claims, refusing what comes twice.
struct ClaimsSeed;

impl<'de> DeserializeSeed<'de> for ClaimsSeed {
    type Value = Claims;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Claims, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for ClaimsSeed {
    type Value = Claims;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claims, A::Error> {
        let mut claims = Claims::default();
        let mut seen: Vec<String> = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            if seen.contains(&name) {
                return Err(twice::<A>(&name));
            }
            // `null` counts as none.
            match name.as_str() {
                "iss" => claims.iss = map.next_value()?,
                "iat" => claims.iat = map.next_value()?,
                "nbf" => claims.nbf = map.next_value()?,
                "exp" => claims.exp = map.next_value()?,
                "allowed_stage" => claims.allowed_stage = map.next_value()?,
                "app_id" => claims.app_id = map.next_value()?,
                "channel_id" => claims.channel_id = map.next_value()?,
                "user_id" => claims.user_id = map.next_value()?,
                "opaque_user_id" => claims.opaque_user_id = map.next_value()?,
                "role" => claims.role = map.next_value()?,
                "jti" => claims.jti = map.next_value()?,
                "fam" => claims.fam = map.next_value()?,
                "grant" => claims.grant = map.next_value()?,
                "identifier" => claims.identifier = map.next_value()?,
                _ => {
                    insert_once(&mut claims.other, name, &mut map)?;
                    continue;
                }
            }
            seen.push(name);
        }
        Ok(claims)
    }
}

fn twice<'de, A: MapAccess<'de>>(key: &str) -> A::Error {
    A::Error::custom(format_args!("duplicate key `{key}`"))
}

/// Parses a JSON object in which none says a key twice, as payloads and headers of tokens are read.
pub fn parse_strict(text: &[u8]) -> Result<Map<String, Value>, ClaimsError> {
    if let Value::Object(fields) = parse_whole(text, Strict)? {
        Ok(fields)
    } else {
        Err(ClaimsError("not an object".into()))
    }
}

/// Reads a text to its end.
fn parse_whole<'de, S: DeserializeSeed<'de>>(
    text: &'de [u8],
    seed: S,
) -> Result<S::Value, ClaimsError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    seed.deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|error| ClaimsError(error.to_string()))
}

/// Builds a [`Value`], refusing duplicate keys.
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            insert_once(&mut object, key, &mut map)?;
        }
        Ok(Value::Object(object))
    }
}

fn insert_once<'de, A: MapAccess<'de>>(
    object: &mut Map<String, Value>,
    key: String,
    map: &mut A,
) -> Result<(), A::Error> {
    let value = map.next_value_seed(Strict)?;
    match object.entry(key) {
        Entry::Vacant(place) => place.insert(value),
        Entry::Occupied(place) => return Err(twice::<A>(place.key())),
    };
    Ok(())
}

/// Serialises to JSON whose base64url encoding has neither `-` nor `_`: browsers decode payloads
/// with `atob`, which knows only the plain alphabet (`spec 1.2`).
///
/// A six-bit group is 62 or 63 only where a byte is `>`, `?`, `~` or DEL, or not ASCII.
pub fn ascii_json<T: Serialize>(value: &T) -> Result<String, serde_json::Error> {
    let json = serde_json::to_string(value)?;
    let mut ascii = String::with_capacity(json.len());
    for c in json.chars() {
        if c.is_ascii() && !matches!(c, '>' | '?' | '~' | '\u{7f}') {
            ascii.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String does not fail.
                let _ = write!(ascii, "\\u{unit:04x}");
            }
        }
    }
    Ok(ascii)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        for text in [
            r#"{"exp":1,"exp":2}"#,
            r#"{"exp":null,"exp":2}"#,
            r#"{"exp":1,"\u0065xp":1}"#,
            r#"{"exp":1,"x":1,"x":1}"#,
            r#"{"exp":1,"x":[{"a":1,"a":1}]}"#,
        ] {
            assert!(Claims::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn claims_of_a_wrong_type_are_refused() {
        for text in [
            "[]",
            "1",
            "{} {}",
            r#"{"exp":"1"}"#,
            r#"{"exp":1.5}"#,
            r#"{"exp":1e400}"#,
            r#"{"exp":99999999999999999999}"#,
            r#"{"role":"root"}"#,
            r#"{"user_id":1}"#,
            "{",
        ] {
            assert!(Claims::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn every_claim_that_is_written_is_read_again() {
        let text = r#"{"iss":"a","iat":1,"nbf":2,"exp":3,"allowed_stage":"b","app_id":"c","channel_id":"d","user_id":"e","opaque_user_id":"f","role":"viewer","jti":"g","fam":"h","grant":"i","identifier":"j","k":null}"#;
        let claims = Claims::parse(text.as_bytes()).unwrap();
        assert_eq!(claims.other.len(), 1);
        assert_eq!(serde_json::to_string(&claims).unwrap(), text);
        // The same as through the library's own way, also where nothing is said.
        assert_eq!(claims, serde_json::from_str(text).unwrap());
        let nulls = r#"{"iss":null,"exp":null,"role":null}"#;
        assert_eq!(Claims::parse(nulls.as_bytes()).unwrap(), Claims::default());
    }

    #[test]
    fn platform_claims_are_kept() {
        let text = r#"{"exp":5,"role":"viewer","is_unlinked":true,"pubsub_perms":{"listen":["broadcast"]}}"#;
        let claims = Claims::parse(text.as_bytes()).unwrap();
        assert_eq!(claims.other.len(), 2);
        assert_eq!(serde_json::to_string(&claims).unwrap(), text);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Claims::parse(&bytes);
        }

        #[test]
        fn ascii_json_means_the_same_and_holds_no_troublesome_byte(text in any::<String>()) {
            let json = ascii_json(&serde_json::json!({ "k": text })).unwrap();
            prop_assert!(json.bytes().all(|b| b.is_ascii() && !b">?~\x7f".contains(&b)));
            let back: Value = serde_json::from_str(&json).unwrap();
            prop_assert_eq!(back["k"].as_str(), Some(text.as_str()));
        }
    }
}
