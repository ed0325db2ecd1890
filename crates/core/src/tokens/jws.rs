//! JWS compact form, taken apart strictly (RFC 7515, RFC 8725). The signature is checked by the
//! library; what is left to us is to look at nothing that is not what we ourselves would write.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crowdlink_protocol::{Claims, parse_strict};
use serde_json::Value;

use crate::error::TokenFault;

/// Header fields that change how a token is to be read.
pub(super) const REFUSED_FIELDS: [&str; 4] = ["crit", "zip", "enc", "b64"];

/// The headers that the platform and most libraries write, in base64url: HS256, and nothing else.
const USUAL_HEADERS: [&str; 2] = [
    // {"alg":"HS256","typ":"JWT"}
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
    // {"typ":"JWT","alg":"HS256"}
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9",
];

/// A token in its parts, nothing of it verified.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// Header and payload, as they were signed.
    pub signed: &'a str,
    header: &'a str,
    payload: &'a str,
    /// The signature, in base64url.
    pub signature: &'a str,
}

/// What a token says of itself.
#[derive(Clone, Debug)]
pub struct Unverified {
    /// Its algorithm.
    pub alg: String,
    /// The key it names.
    pub kid: Option<String>,
    /// Its claims.
    pub claims: Claims,
}

impl<'a> Parts<'a> {
    /// Splits a token that is not too long.
    pub fn split(token: &'a str, bytes_max: usize) -> Result<Self, TokenFault> {
        if token.len() > bytes_max {
            return Err(TokenFault::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenFault::Malformed)?;
        if payload.contains('.') {
            return Err(TokenFault::Malformed);
        }
        Ok(Self {
            signed,
            header,
            payload,
            signature,
        })
    }

    /// The key the header names, once its algorithm is HS256. The algorithm is never taken from
    /// the token: anything else there is refused (RFC 8725 3.1), as are extensions that a reader
    /// must understand (`crit`, RFC 8725 3.10) and compression.
    pub(crate) fn kid(&self) -> Result<Option<String>, TokenFault> {
        if USUAL_HEADERS.contains(&self.header) {
            return Ok(None);
        }
        self.unusual_kid()
    }

    fn unusual_kid(&self) -> Result<Option<String>, TokenFault> {
        let header = self.header()?;
        if header.get("alg").and_then(Value::as_str) != Some("HS256") {
            return Err(TokenFault::Signature);
        }
        if REFUSED_FIELDS.iter().any(|name| header.contains_key(*name)) {
            return Err(TokenFault::Malformed);
        }
        match header.get("kid") {
            None => Ok(None),
            Some(Value::String(kid)) => Ok(Some(kid.clone())),
            Some(_) => Err(TokenFault::Signature),
        }
    }

    /// The claims. Meaningful only where the signature is good.
    pub(crate) fn claims(&self) -> Result<Claims, TokenFault> {
        let payload = URL_SAFE_NO_PAD
            .decode(self.payload)
            .map_err(|_| TokenFault::Malformed)?;
        Claims::parse(&payload).map_err(|_| TokenFault::Malformed)
    }

    /// The claims but for one, whatever it holds.
    pub(crate) fn claims_without(&self, name: &str) -> Result<Claims, TokenFault> {
        let payload = URL_SAFE_NO_PAD
            .decode(self.payload)
            .map_err(|_| TokenFault::Malformed)?;
        let mut object: serde_json::Map<String, Value> =
            serde_json::from_slice(&payload).map_err(|_| TokenFault::Malformed)?;
        object.remove(name);
        let rest = serde_json::to_vec(&object).map_err(|_| TokenFault::Malformed)?;
        Claims::parse(&rest).map_err(|_| TokenFault::Malformed)
    }

    fn header(&self) -> Result<serde_json::Map<String, Value>, TokenFault> {
        let header = URL_SAFE_NO_PAD
            .decode(self.header)
            .map_err(|_| TokenFault::Malformed)?;
        parse_strict(&header).map_err(|_| TokenFault::Malformed)
    }
}

/// Reads a token without believing it, to explain it to people.
pub fn inspect(token: &str, bytes_max: usize) -> Result<Unverified, TokenFault> {
    let parts = Parts::split(token, bytes_max)?;
    let header = parts.header()?;
    let text = |name: &str| header.get(name).and_then(Value::as_str).map(str::to_owned);
    let alg = text("alg").unwrap_or_default();
    Ok(Unverified {
        alg,
        kid: text("kid"),
        claims: parts.claims()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_headers_say_what_reading_them_would_tell() {
        for header in USUAL_HEADERS {
            let token = format!("{header}.e30.c2ln");
            let parts = Parts::split(&token, 100).unwrap();
            assert_eq!(parts.unusual_kid(), Ok(None));
            assert_eq!(parts.header().unwrap().len(), 2);
        }
    }
}
