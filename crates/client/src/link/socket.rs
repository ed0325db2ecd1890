//! The WebSocket itself.

use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, http::StatusCode};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::opening::Failure;
use crate::error::Error;

/// The longest frame that is read, in bytes: a server stays below it (`spec 2.1`).
pub(crate) const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;
const READ_BUFFER_BYTES: usize = 16 * 1024;

pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Connects and upgrades.
pub(crate) async fn open(url: &str) -> Result<Socket, Failure> {
    #[cfg(feature = "tls")]
    if url.starts_with("wss:") && rustls::crypto::CryptoProvider::get_default().is_none() {
        // Who was faster has installed one as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(FRAME_BYTES_MAX))
        .max_frame_size(Some(FRAME_BYTES_MAX));
    match connect_async_with_config(url, Some(config), true).await {
        Ok((socket, _)) => Ok(socket),
        Err(error) => Err(failure(&error)),
    }
}

fn failure(error: &tungstenite::Error) -> Failure {
    if let tungstenite::Error::Url(error) = error {
        return Failure::Final(Error::Address(error.to_string()));
    }
    let tungstenite::Error::Http(response) = error else {
        return Failure::Passing(error.to_string());
    };
    let status = response.status();
    let detail = match status {
        StatusCode::UNAUTHORIZED => "Extension is not registered",
        StatusCode::NOT_FOUND => "no server of the GameLink protocol answers here",
        _ => return Failure::Passing(format!("HTTP {status}")),
    };
    Failure::Final(Error::Refused {
        number: status.as_u16(),
        title: status.canonical_reason().unwrap_or_default().to_owned(),
        detail: detail.to_owned(),
    })
}
