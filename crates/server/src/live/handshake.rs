//! From an HTTP request to a raw socket (RFC 6455, 4.2).

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::connection::Handler;
use super::engine::Live;
use super::secure::Secure;

const MAGIC: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a request is no WebSocket handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not GET: 405.
    Method,
    /// No upgrade to `websocket` is asked for: 426.
    NotAnUpgrade,
    /// A version other than 13: 426, naming the version that is spoken.
    Version,
    /// The key is missing or not 16 bytes in base64: 400.
    Key,
    /// A connection that cannot be upgraded, such as HTTP/1.0: 400.
    Transport,
}

impl Refusal {
    /// The answer to send, without a body.
    pub fn response(self) -> Response<()> {
        let mut response = Response::new(());
        *response.status_mut() = match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAnUpgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key | Self::Transport => StatusCode::BAD_REQUEST,
        };
        let headers = response.headers_mut();
        if self == Self::Method {
            headers.insert(http::header::ALLOW, HeaderValue::from_static("GET"));
        }
        if response_needs_upgrade(self) {
            headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
            headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}

fn response_needs_upgrade(refusal: Refusal) -> bool {
    matches!(refusal, Refusal::NotAnUpgrade | Refusal::Version)
}

/// A handshake that was accepted: send `response`, then open the socket.
#[derive(Debug)]
pub struct Upgrade {
    /// The answer 101, without a body.
    pub response: Response<()>,
    /// The socket, which becomes free once the answer is sent.
    pub socket: PendingSocket,
}

/// A socket that becomes free once the answer to the handshake is sent.
#[derive(Debug)]
pub struct PendingSocket(OnUpgrade);

/// Checks a handshake and takes the right to its socket out of the request. Names `protocol` as
/// the subprotocol if the caller chose one; no extension is accepted.
///
/// # Errors
/// See [`Refusal`].
pub fn upgrade<B>(
    request: &mut Request<B>,
    protocol: Option<HeaderValue>,
) -> Result<Upgrade, Refusal> {
    let accept = check(request)?;
    let Some(on_upgrade) = request.extensions_mut().remove::<OnUpgrade>() else {
        return Err(Refusal::Transport);
    };
    let mut response = Response::new(());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if let Some(protocol) = protocol {
        headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    Ok(Upgrade {
        response,
        socket: PendingSocket(on_upgrade),
    })
}

/// Whether a request asks for a WebSocket at all, well-formed or not.
pub fn is_upgrade(headers: &HeaderMap) -> bool {
    has_token(headers, &UPGRADE, "websocket")
}

/// Checks everything but the transport and gives the value of `Sec-WebSocket-Accept`.
fn check<B>(request: &Request<B>) -> Result<HeaderValue, Refusal> {
    if request.method() != Method::GET {
        return Err(Refusal::Method);
    }
    if request.version() != Version::HTTP_11 {
        return Err(Refusal::Transport);
    }
    let headers = request.headers();
    if !is_upgrade(headers) || !has_token(headers, &CONNECTION, "upgrade") {
        return Err(Refusal::NotAnUpgrade);
    }
    if single(headers, &SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::Version);
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY).ok_or(Refusal::Key)?;
    let nonce = BASE64_STANDARD.decode(key).map_err(|_| Refusal::Key)?;
    if nonce.len() != 16 {
        return Err(Refusal::Key);
    }
    let digest = Sha1::new().chain_update(key).chain_update(MAGIC).finalize();
    HeaderValue::try_from(BASE64_STANDARD.encode(digest)).map_err(|_| Refusal::Key)
}

/// The value of a header that stands there exactly once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?.trim();
    values.next().is_none().then_some(value)
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

impl PendingSocket {
    /// Waits, in a task of its own, until the answer is sent, then runs the connection. If the
    /// client is gone by then the handler is dropped unused. Nothing of the HTTP connection is
    /// kept.
    pub fn open<H: Handler>(self, live: Arc<Live>, peer: SocketAddr, handler: H) {
        tokio::spawn(async move {
            let Ok(upgraded) = self.0.await else { return };
            let upgraded = match upgraded.downcast::<TokioIo<TcpStream>>() {
                Ok(parts) => {
                    live.open(parts.io.into_inner(), &parts.read_buf, peer, handler);
                    return;
                }
                Err(upgraded) => upgraded,
            };
            let Ok(parts) = upgraded.downcast::<TokioIo<TlsStream<TcpStream>>>() else {
                tracing::error!("a listener serves a socket that cannot be taken back");
                return;
            };
            let (secure, rest) = Secure::new(parts.io.into_inner(), Arc::clone(live.clock()));
            let early = [&*parts.read_buf, &rest].concat();
            live.open(secure, &early, peer, handler);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 6455, 1.3.
    fn example() -> http::request::Builder {
        Request::get("/chat")
            .header("Host", "server.example.com")
            .header("Upgrade", "websocket")
            .header("Connection", "Upgrade")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
            .header("Sec-WebSocket-Version", "13")
    }

    fn change(name: &'static str, value: &'static str) -> Result<HeaderValue, Refusal> {
        let mut request = example().body(()).unwrap();
        request
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
        check(&request)
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        let accept = check(&example().body(()).unwrap()).unwrap();
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn tokens_are_found_in_lists_in_any_case() {
        assert!(change("connection", "keep-alive, UPGRADE").is_ok());
        assert!(change("upgrade", "h2c , WebSocket").is_ok());
        assert_eq!(
            change("connection", "keep-alive"),
            Err(Refusal::NotAnUpgrade)
        );
        assert_eq!(change("upgrade", "websockets"), Err(Refusal::NotAnUpgrade));
        let mut request = example().body(()).unwrap();
        request
            .headers_mut()
            .insert("connection", HeaderValue::from_static("close"));
        request
            .headers_mut()
            .append("connection", HeaderValue::from_static("upgrade"));
        assert!(check(&request).is_ok());
    }

    #[test]
    fn another_version_is_told_ours() {
        assert_eq!(change("sec-websocket-version", "8"), Err(Refusal::Version));
        let response = Refusal::Version.response();
        assert_eq!(response.status(), 426);
        assert_eq!(response.headers()["sec-websocket-version"], "13");
    }

    #[test]
    fn a_key_must_be_sixteen_bytes_in_base64() {
        for key in [
            "",
            "dGhlIHNhbXBsZSBub25jZQ",
            "c2hvcnQ=",
            "not base64 at all!!!!!!=",
        ] {
            assert_eq!(change("sec-websocket-key", key), Err(Refusal::Key), "{key}");
        }
        let mut twice = example().body(()).unwrap();
        let key = HeaderValue::from_static("dGhlIHNhbXBsZSBub25jZQ==");
        twice.headers_mut().append("sec-websocket-key", key);
        assert_eq!(check(&twice), Err(Refusal::Key));
    }

    #[test]
    fn method_and_http_version_are_checked() {
        let mut post = example().body(()).unwrap();
        *post.method_mut() = Method::POST;
        assert_eq!(check(&post), Err(Refusal::Method));
        let old = example().version(Version::HTTP_10).body(()).unwrap();
        assert_eq!(check(&old), Err(Refusal::Transport));
        // Nothing but a server's connection can be upgraded.
        let mut request = example().body(()).unwrap();
        assert_eq!(upgrade(&mut request, None).err(), Some(Refusal::Transport));
    }
}
