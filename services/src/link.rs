//! One connection through the proxy.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::watch;

/// What is on its way at a time, in each direction.
const BUFFER_BYTES: usize = 16_384;

/// Carries bytes both ways until both sides ended, or one broke. Nothing moves while the gate is
/// closed: it is looked at right before every read and write, on the thread that closes it.
pub(crate) async fn carry(
    client: TcpStream,
    upstream: SocketAddr,
    gate: watch::Receiver<bool>,
) -> io::Result<()> {
    opened(&mut gate.clone()).await?;
    let server = TcpStream::connect(upstream).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::try_join!(
        one_way(from_client, to_server, gate.clone()),
        one_way(from_server, to_client, gate),
    )?;
    Ok(())
}

async fn one_way(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    mut gate: watch::Receiver<bool>,
) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        from.readable().await?;
        opened(&mut gate).await?;
        let read = match from.try_read(&mut buffer) {
            // The other end is told by the drop of `to`.
            Ok(0) => return Ok(()),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        write_all(&to, buffer.get(..read).unwrap_or_default(), &mut gate).await?;
    }
}

async fn write_all(
    to: &OwnedWriteHalf,
    mut bytes: &[u8],
    gate: &mut watch::Receiver<bool>,
) -> io::Result<()> {
    while !bytes.is_empty() {
        to.writable().await?;
        opened(gate).await?;
        match to.try_write(bytes) {
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn opened(gate: &mut watch::Receiver<bool>) -> io::Result<()> {
    match gate.wait_for(|open| *open).await {
        Ok(_) => Ok(()),
        Err(_) => Err(io::ErrorKind::ConnectionAborted.into()),
    }
}
