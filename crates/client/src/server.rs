//! Where a server is.

use crowdlink_protocol::ClientId;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::error::Error;

/// What a segment of a path cannot hold as it is.
const SEGMENT: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'/')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');
/// The version of the protocol that games say they speak (`spec 2.1`).
const PROTOCOL_VERSION: &str = "0.0.1";

/// Where a server is: the sandbox and production are two ports of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    url: String,
}

impl Server {
    /// A server by the address of its GameLink port, such as `ws://127.0.0.1:5051`. With the feature
    /// `tls` also `wss://…`.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }

    /// The sandbox of a server on this machine, as `crowdlink dev` starts it.
    pub fn local_sandbox() -> Self {
        Self::at("ws://127.0.0.1:5051")
    }

    /// The address for a game of an extension (`spec 2.1`).
    pub(crate) fn path(&self, client_id: &str) -> Result<String, Error> {
        let client_id = ClientId::new(client_id)
            .map_err(|error| Error::Address(format!("the client id {error}")))?;
        let base = self.url.trim_end_matches('/');
        let known = base.starts_with("ws://") || base.starts_with("wss://");
        if !known {
            let text = format!("`{base}` is no address of the form ws://host:port");
            return Err(Error::Address(text));
        }
        if base.starts_with("wss://") && !cfg!(feature = "tls") {
            let text = "wss:// needs the feature `tls` of this library".to_owned();
            return Err(Error::Address(text));
        }
        let client_id = utf8_percent_encode(client_id.as_str(), SEGMENT);
        Ok(format!("{base}/{PROTOCOL_VERSION}/{client_id}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_names_the_extension() {
        assert_eq!(
            Server::at("ws://host:1/").path("a b?c").unwrap_err(),
            Error::Address(
                "the client id must not contain white space, control characters or slashes".into()
            )
        );
        assert_eq!(
            Server::local_sandbox().path("a?c%ü").unwrap(),
            "ws://127.0.0.1:5051/0.0.1/a%3Fc%25%C3%BC"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for url in ["", "http://host", "host:5051"] {
            assert!(matches!(Server::at(url).path("x"), Err(Error::Address(_))));
        }
        let tls = Server::at("wss://host").path("x");
        assert_eq!(tls.is_ok(), cfg!(feature = "tls"));
    }
}
