//! The Authorization header (`spec 1.2`).

use std::fmt;

use crowdlink_protocol::ClientId;

use crate::error::Error;

/// What stands before a token that names its extension itself, in any case.
const BEARER: &str = "bearer";

/// What the header says, nothing of it verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// The extension; `None` with `Bearer`, where the token names it.
    pub client_id: Option<ClientId>,
    /// The token.
    pub jwt: &'a str,
}

impl fmt::Debug for Authorization<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// Splits `<client id> <jwt>` or `Bearer <jwt>`: one space, two parts.
pub fn parse_authorization(header: &str) -> Result<Authorization<'_>, Error> {
    let (first, jwt) = header.split_once(' ').ok_or(Error::HeaderMalformed)?;
    // By bytes, for tokens are long: white space beyond ASCII is no part of a token either.
    // All of them, without a way out in between: that is done many at once.
    let is_foreign = |byte: u8| matches!(byte, b'\t'..=b'\r' | b' ') | !byte.is_ascii();
    let has_foreign = jwt.bytes().fold(false, |any, byte| any | is_foreign(byte));
    if first.is_empty() || jwt.is_empty() || has_foreign {
        return Err(Error::HeaderMalformed);
    }
    if first.eq_ignore_ascii_case(BEARER) {
        return Ok(Authorization {
            client_id: None,
            jwt,
        });
    }
    // A text that can be no client id is one that nobody registered.
    let client_id = ClientId::new(first).map_err(|_| Error::ExtensionUnknown)?;
    Ok(Authorization {
        client_id: Some(client_id),
        jwt,
    })
}

/// Whether a header is `Bearer <jwt>`, if it is any.
pub(super) fn is_bearer(header: &[u8]) -> bool {
    let first = header.get(..BEARER.len());
    first.is_some_and(|first| first.eq_ignore_ascii_case(BEARER.as_bytes()))
        && header.get(BEARER.len()) == Some(&b' ')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn two_parts_and_one_space_are_wanted() {
        for header in [
            "",
            " ",
            "abc",
            "abc ",
            " jwt",
            "abc  jwt",
            "abc jwt x",
            "abc\tjwt",
            "abc jwt\n",
        ] {
            assert_eq!(
                parse_authorization(header),
                Err(Error::HeaderMalformed),
                "{header:?}"
            );
        }
        let parsed = parse_authorization("abc jwt").unwrap();
        assert_eq!(
            (parsed.client_id.unwrap().as_str(), parsed.jwt),
            ("abc", "jwt")
        );
        assert_eq!(parse_authorization("bearer jwt").unwrap().client_id, None);
    }

    proptest! {
        #[test]
        fn arbitrary_headers_never_panic(header in any::<String>()) {
            let _ = parse_authorization(&header);
        }
    }
}
