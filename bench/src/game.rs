//! A game's connection: a socket and one request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use anyhow::Result;
use serde_json::{Value, json};

use crate::server::CLIENT_ID;
use crate::socket;

/// Connects as number `index`, authenticates with a token, and waits for the answer.
pub(crate) fn connect(to: SocketAddr, index: usize, token: &str) -> Result<TcpStream> {
    let mut stream = socket::connect(to, index)?;
    authenticate(&mut stream, to, token)?;
    Ok(stream)
}

/// The same on a connection that is there.
pub(crate) fn authenticate(
    stream: &mut (impl Read + Write),
    to: SocketAddr,
    token: &str,
) -> Result<()> {
    socket::upgrade_at(stream, to, &format!("/0.0.1/{CLIENT_ID}"))?;
    let authenticate = json!({
        "action": "authenticate", "params": { "request_id": 1 }, "data": { "jwt": token },
    });
    stream.write_all(&socket::text_frame(authenticate.to_string().as_bytes())?)?;
    let answer: Value = serde_json::from_slice(&socket::read_frame(stream)?)?;
    anyhow::ensure!(
        answer
            .pointer("/data/twitch_id")
            .is_some_and(|id| id == "1"),
        "not authenticated: {answer}"
    );
    Ok(())
}
