//! The sockets a connection can run on.

use std::io::{self, IoSlice, Read, Write};
use std::net::Shutdown;
use std::task::{Context, Poll};

use socket2::SockRef;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A raw socket, driven by readiness so that an idle one needs no buffer.
#[derive(Debug)]
pub enum Io {
    /// Plain TCP.
    Tcp(TcpStream),
}

impl From<TcpStream> for Io {
    fn from(stream: TcpStream) -> Self {
        Self::Tcp(stream)
    }
}

impl Io {
    /// Sends small frames at once.
    pub(super) fn prepare(&self) -> io::Result<()> {
        let Self::Tcp(stream) = self;
        stream.set_nodelay(true)
    }

    /// Reads what is there. A read that does not fill `buffer` emptied the socket, so the next
    /// wait starts without another system call.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Self::Tcp(stream) = self;
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
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let Self::Tcp(stream) = self;
        let length: usize = slices.iter().map(|slice| slice.len()).sum();
        let mut written = 0;
        let result = stream.try_io(Interest::WRITABLE, || {
            written = (&*SockRef::from(stream)).write_vectored(slices)?;
            if written < length {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            Ok(())
        });
        settle(written, result)
    }

    pub(super) fn poll_read_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self::Tcp(stream) = self;
        stream.poll_read_ready(cx)
    }

    pub(super) fn poll_write_ready(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self::Tcp(stream) = self;
        stream.poll_write_ready(cx)
    }

    /// Ends the connection, or only our half of it. An error means that it is over already.
    pub(super) fn shutdown(&self, how: Shutdown) {
        let Self::Tcp(stream) = self;
        let _ = SockRef::from(stream).shutdown(how);
    }
}

/// A transfer that moved something is a success, whatever it told the reactor.
fn settle(moved: usize, result: io::Result<()>) -> io::Result<usize> {
    match result {
        Err(_) if moved > 0 => Ok(moved),
        Err(error) => Err(error),
        Ok(()) => Ok(moved),
    }
}
