//! A port that stays ours while the server that uses it is down.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, Result};
use socket2::{Domain, Socket, Type};

/// Connections that may wait to be accepted.
const BACKLOG_CONNECTIONS_MAX: i32 = 1_024;

/// A free port of 127.0.0.1, held by a socket that is bound and does not listen: the system gives
/// the port to nobody else, a server that reuses addresses may listen on it, and who connects
/// while no server listens is refused.
pub(crate) struct Port {
    address: SocketAddr,
    _held: Socket,
}

impl Port {
    pub(crate) fn reserve() -> Result<Self> {
        let held = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).context("no free port")?;
        let address = held.local_addr()?.as_socket();
        let address = address.context("a bound socket has an address")?;
        Ok(Self {
            address,
            _held: held,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn number(&self) -> u16 {
        self.address.port()
    }

    /// Listens on it, without blocking calls.
    pub(crate) fn listen(&self) -> io::Result<std::net::TcpListener> {
        let socket = bound(self.address)?;
        socket.listen(BACKLOG_CONNECTIONS_MAX)?;
        socket.set_nonblocking(true)?;
        Ok(socket.into())
    }
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}
