//! Voters: each with a token of the platform's kind, made when it is needed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};

use super::load::Requests;
use super::{POLLS, Voting};
use crate::server::CLIENT_ID;

/// The extension's secret: of no worth outside a measurement.
pub(crate) const SECRET_BASE64: &str = "YmVuY2ggYmVuY2ggYmVuY2ggYmVuY2ggYmVuY2ggYmVuY2g=";
/// When the tokens end (Unix s): the year 2100.
const EXPIRES_S: u64 = 4_102_444_800;
/// Values voted for.
const OPTIONS: u64 = 4;

/// Makes votes.
#[derive(Clone)]
pub(crate) struct Voters {
    key: Arc<EncodingKey>,
    host: SocketAddr,
    /// Nobody votes twice unless that is what is measured.
    next: Arc<AtomicU64>,
}

impl Voters {
    pub(crate) fn new(host: SocketAddr) -> Result<Self> {
        Ok(Self {
            key: Arc::new(EncodingKey::from_secret(&STANDARD.decode(SECRET_BASE64)?)),
            host,
            next: Arc::new(AtomicU64::new(1)),
        })
    }

    /// A viewer's token.
    fn token(&self, voter: u64) -> Result<String> {
        self.sign(&format!(
            r#"{{"exp":{EXPIRES_S},"opaque_user_id":"U{voter}","user_id":"{voter}","channel_id":"1","role":"viewer"}}"#
        ))
    }

    /// The token of the broadcaster whose channel it is.
    pub(crate) fn broadcaster(&self) -> Result<String> {
        self.sign(&format!(
            r#"{{"exp":{EXPIRES_S},"opaque_user_id":"U1","user_id":"1","channel_id":"1","role":"broadcaster"}}"#
        ))
    }

    /// Signs claims as the platform does.
    fn sign(&self, claims: &str) -> Result<String> {
        let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = crypto::sign(signed.as_bytes(), &self.key, Algorithm::HS256)?;
        Ok(format!("{signed}.{signature}"))
    }

    fn vote(&self, token: &str, poll: &str, value: u64) -> Vec<u8> {
        let body = format!(r#"{{"value":{value}}}"#);
        let (host, length) = (self.host, body.len());
        format!(
            "POST /v1/e/vote?id={poll} HTTP/1.1\r\nhost: {host}\r\n\
             authorization: {CLIENT_ID} {token}\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// What each connection asks, one request after the other.
    pub(crate) fn requests(&self, voting: Voting, round: u32, connections: usize) -> Requests {
        let voters = self.clone();
        // A poll of its own for each measurement.
        let name = format!(
            "round-{round}-{connections}-{}",
            voting.name().replace(' ', "-")
        );
        if voting == Voting::ChangingMinds {
            return Box::new(move |connection| {
                let token = voters.token(u64::try_from(connection)? + 1)?;
                let (voters, name) = (voters.clone(), name.clone());
                let mut turn = 0;
                Ok(Box::new(move || {
                    turn += 1;
                    Ok(voters.vote(&token, &name, turn % OPTIONS))
                }))
            });
        }
        Box::new(move |_| {
            let (voters, name) = (voters.clone(), name.clone());
            Ok(Box::new(move || {
                let voter = voters.next.fetch_add(1, Ordering::Relaxed);
                let token = voters.token(voter)?;
                let poll = match voting {
                    Voting::ManyPolls => format!("{name}-{}", voter % POLLS),
                    Voting::OnePoll | Voting::ChangingMinds => name.clone(),
                };
                Ok(voters.vote(&token, &poll, voter % OPTIONS))
            }))
        })
    }
}
