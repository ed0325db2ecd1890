//! The sockets a connection can run on.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::secure::Secure;

/// A raw socket, driven by readiness so that an idle one needs no buffer.
#[derive(Debug)]
pub enum Io {
    /// Plain TCP.
    Tcp(TcpStream),
    /// TLS over TCP. In a box, for a plain connection is not to pay for its size.
    Tls(Box<Secure>),
}

impl From<TcpStream> for Io {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl From<Secure> for Io {
    fn from(secure: Secure) -> Self {
        Self::Tls(Box::new(secure))
    }
}

impl Io {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(secure) => secure.socket(),
        }
    }

    /// Sends small frames at once.
    pub(super) fn prepare(&self) -> io::Result<()> {
        self.socket().set_nodelay(true)
    }

    /// Reads what is there, up to `buffer`; 0 is the end.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => read_some(stream, buffer),
            Self::Tls(secure) => secure.try_read(buffer),
        }
    }

    /// Writes what the socket takes. TLS takes more than that: see [`Io::owes_since_ms`].
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => write_some(stream, slices),
            Self::Tls(secure) => secure.try_write(slices),
        }
    }

    /// Writes what was taken and is not out yet, and tells whether all of it is.
    pub(super) fn try_flush(&self) -> io::Result<bool> {
        match self {
            Self::Tcp(_) => Ok(true),
            Self::Tls(secure) => secure.try_flush(),
        }
    }

    /// Since when something that was taken waits for the socket; `u64::MAX` if nothing does.
    pub(super) fn owes_since_ms(&self) -> u64 {
        match self {
            Self::Tcp(_) => u64::MAX,
            Self::Tls(secure) => secure.owes_since_ms(),
        }
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_read_ready(cx)
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket().poll_write_ready(cx)
    }

    /// Ends the connection, or only our half of it. An error means that it is over already.
    pub(super) fn shutdown(&self, how: Shutdown) {
        if let Self::Tls(secure) = self {
            secure.say_goodbye();
        }
        let _ = SockRef::from(self.socket()).shutdown(how);
    }
}

/// Reads what is there. A read that does not fill `buffer` emptied the socket, so the next wait
/// starts without another system call.
pub(super) fn read_some(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    let result = stream.try_io(Interest::READABLE, || {
        read = (&*SockRef::from(stream)).read(buffer)?;
        if 0 < read && read < buffer.len() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    });
    settle(read, result)
}

/// Writes what the socket takes. A short write filled it, as above.
pub(super) fn write_some(stream: &TcpStream, slices: &[IoSlice<'_>]) -> io::Result<usize> {
    let length: usize = slices.iter().map(|slice| slice.len()).sum();
    let mut written = 0;
    let result = stream.try_io(Interest::WRITABLE, || {
        let socket = SockRef::from(stream);
        // The system has less to do for one buffer than for a list of one.
        written = match slices {
            [only] => (&*socket).write(only)?,
            _ => (&*socket).write_vectored(slices)?,
        };
        if written < length {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    });
    settle(written, result)
}

/// A transfer that moved something is a success, whatever it told the reactor.
fn settle(moved: usize, result: io::Result<()>) -> io::Result<usize> {
    match result {
        Err(_) if moved > 0 => Ok(moved),
        Err(error) => Err(error),
        Ok(()) => Ok(moved),
    }
}
