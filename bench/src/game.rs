//! A game's connection: a socket and one request.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};

use anyhow::Result;
use serde_json::{Value, json};

use crate::server::CLIENT_ID;
use crate::socket;

/// Connects as number `index`, authenticates with a token, and waits for the answer.
pub(crate) fn connect(to: SocketAddr, index: usize, token: &str) -> Result<TcpStream> {
    let mut stream = socket::connect(to, index)?;
    socket::upgrade(&mut stream, &format!("/0.0.1/{CLIENT_ID}"))?;
    let authenticate = json!({
        "action": "authenticate", "params": { "request_id": 1 }, "data": { "jwt": token },
    });
    stream.write_all(&socket::text_frame(authenticate.to_string().as_bytes())?)?;
    let answer: Value = serde_json::from_slice(&socket::read_frame(&mut stream)?)?;
    anyhow::ensure!(
        answer
            .pointer("/data/twitch_id")
            .is_some_and(|id| id == "1"),
        "not authenticated: {answer}"
    );
    Ok(stream)
}
