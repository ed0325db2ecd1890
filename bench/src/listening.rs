//! For peers that tell nobody which port they got: they are told a free one, and waited for.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

/// Looks at whether a server listens, and the pause between two.
const LOOKS_MAX: u32 = 200;
const LOOK: Duration = Duration::from_millis(50);

/// An address on which nobody listens.
pub(crate) fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

/// Waits until a server listens.
pub(crate) fn until_listening(server: impl fmt::Display, address: SocketAddr) -> Result<()> {
    for _ in 0..LOOKS_MAX {
        if TcpStream::connect(address).is_ok() {
            return Ok(());
        }
        sleep(LOOK);
    }
    anyhow::bail!("{server} does not listen")
}
