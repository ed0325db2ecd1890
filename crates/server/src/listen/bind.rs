//! From addresses in the settings to listening sockets, with errors that say what to do.

use std::fmt::{self, Write};
use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Socket, Type};

use super::EdgeName;
use crate::settings::{Address, Listen};
use crate::tls::Tls;

/// A socket that listens for one edge. Its connections wait in the queue of the system until
/// somebody accepts.
#[derive(Debug)]
pub struct Bound {
    /// Whose it is.
    pub name: EdgeName,
    /// The socket; non-blocking.
    pub listener: TcpListener,
}

/// An address cannot be listened on.
#[derive(Debug)]
pub struct BindError {
    name: EdgeName,
    address: SocketAddr,
    cause: io::Error,
}

impl BindError {
    /// Whether another process listens there.
    pub fn is_in_use(&self) -> bool {
        self.cause.kind() == io::ErrorKind::AddrInUse
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            name,
            address,
            cause,
        } = self;
        if self.is_in_use() {
            write!(
                f,
                "{address} ({name}) is in use; is Crowdlink already running? Stop it, replace it \
                 with --takeover, or choose another address with --{name} ADDR"
            )
        } else {
            write!(
                f,
                "cannot listen on {address} ({name}): {cause}; choose another address with \
                 --{name} ADDR"
            )
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

impl Bound {
    /// The same socket once more, to hand it to another process.
    ///
    /// # Errors
    /// No file descriptor is free.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self {
            name: self.name,
            listener: self.listener.try_clone()?,
        })
    }
}

/// Listens on one address.
///
/// # Errors
/// The address is in use, foreign, or forbidden.
pub fn bind(name: EdgeName, address: SocketAddr, backlog: u32) -> Result<Bound, BindError> {
    let listen = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        // Connections of the last run that linger in TIME_WAIT do not block the address.
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(false)?;
        }
        socket.bind(&address.into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        Ok(TcpListener::from(socket))
    };
    match listen() {
        Ok(listener) => Ok(Bound { name, listener }),
        Err(cause) => Err(BindError {
            name,
            address,
            cause,
        }),
    }
}

/// Listens on every address that is not off, except where `taken` has a socket already.
///
/// # Errors
/// The first address that cannot be had.
pub fn bind_all(listen: &Listen, taken: Vec<Bound>) -> Result<Vec<Bound>, BindError> {
    let mut taken = taken;
    let mut all = Vec::new();
    for name in EdgeName::ALL {
        let Address::At(address) = name.address(listen) else {
            continue;
        };
        let bound = match taken.iter().position(|bound| bound.name == name) {
            Some(index) => taken.swap_remove(index),
            None => bind(name, address, listen.backlog_connections_max)?,
        };
        all.push(bound);
    }
    Ok(all)
}

/// The line that says that every listener accepts (spec 6.1), without its line break. The address
/// of one that speaks TLS has its scheme before it.
///
/// # Errors
/// A socket that does not tell its address.
pub fn ready_line(bound: &[Bound], tls: Option<&Tls>) -> io::Result<String> {
    let mut line = "ready".to_owned();
    for name in EdgeName::ALL {
        let address = match bound.iter().find(|bound| bound.name == name) {
            Some(bound) => Address::At(bound.listener.local_addr()?),
            None => Address::Off,
        };
        let is_secure = address != Address::Off && tls.is_some_and(|tls| tls.covers(name));
        let scheme = match name {
            _ if !is_secure => "",
            EdgeName::SandboxGamelink | EdgeName::ProductionGamelink => "wss://",
            EdgeName::SandboxRest | EdgeName::ProductionRest | EdgeName::Ops => "https://",
        };
        let _ = write!(line, " {name}={scheme}{address}");
    }
    Ok(line)
}
