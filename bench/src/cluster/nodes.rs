//! Two nodes, and what they share.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use services::{Nats, Postgres};

use super::latency::Listening;
use crate::server::{Server, Shared, Wanted};
use crate::votes::load::Target;
use crate::votes::voters::SECRET_BASE64;

/// Nothing that is measured here is to be held back, and the load answers no pings.
const FLAGS: [&str; 9] = [
    "--log-level=warn",
    "--limits-connections-per-address-max=100000",
    "--rates-rest-requests-per-s-max=1000000",
    "--rates-rest-requests-burst-max=1000000",
    "--rates-votes-per-s-max=1000000",
    "--rates-votes-burst-max=1000000",
    "--timeouts-request-head-ms-max=600000",
    "--timeouts-socket-ping-ms=1800000",
    "--timeouts-socket-silence-ms-max=3600000",
];

/// A cluster of two. Its nodes end first, then what they share.
pub(super) struct Nodes {
    one: Server,
    other: Server,
    postgres: Postgres,
    _nats: Nats,
}

impl Nodes {
    /// Starts PostgreSQL, NATS and both nodes, on free ports of loopback.
    pub(super) fn start(program: &Path) -> Result<Self> {
        let (postgres, nats) = (Postgres::start()?, Nats::start()?);
        let shared = Shared {
            store: postgres.url(),
            bus: nats.url(),
        };
        let wanted = Wanted {
            edges: &["production-rest", "production-gamelink"],
            tokens: 0,
            secret: Some(SECRET_BASE64),
            shared: Some(&shared),
            flags: &FLAGS,
        };
        Ok(Self {
            one: Server::start(program, &wanted)?,
            other: Server::join(program, &wanted)?,
            postgres,
            _nats: nats,
        })
    }

    /// The REST edge of the first node.
    pub(super) fn first(&self) -> SocketAddr {
        self.one.address
    }

    /// The REST edges of both, with their processes.
    pub(super) fn targets(&self) -> [Target; 2] {
        [&self.one, &self.other].map(|node| (node.address, node.id()))
    }

    /// The URL of PostgreSQL.
    pub(super) fn store(&self) -> String {
        self.postgres.url()
    }

    /// Games that hear what is written on the first node: one there, one on the other node.
    pub(super) fn listen(&self, token: &str) -> Result<Listening> {
        let game_edge = |node: &Server| node.addresses.get(1).copied().context("no edge of games");
        let games = [game_edge(&self.one)?, game_edge(&self.other)?];
        Listening::start(self.first(), games, token)
    }
}
