//! A WebSocket as small as it can be: a socket, a handshake, text frames.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};
use socket2::{Domain, Socket, Type};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1_024;
/// Connections from one address; the next come from the next one of 127.0.0.0/8.
const PER_ADDRESS: usize = 100;

/// Connects as number `index` over plain TCP.
pub(crate) fn connect(to: SocketAddr, index: usize) -> Result<TcpStream> {
    connect_with(to, index, None)
}

/// As [`connect`], with a buffer for what comes in of so many bytes.
pub(crate) fn connect_with(
    to: SocketAddr,
    index: usize,
    buffer_bytes: Option<usize>,
) -> Result<TcpStream> {
    let from = address(index / PER_ADDRESS)?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    if let Some(bytes) = buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.connect_timeout(&to.into(), PATIENCE)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Makes a WebSocket of a connection.
pub(crate) fn upgrade(stream: &mut TcpStream, path: &str) -> Result<()> {
    let host = stream.peer_addr()?;
    upgrade_at(stream, host, path)
}

/// The same over whatever connects to a host.
pub(crate) fn upgrade_at(
    stream: &mut (impl Read + Write),
    host: SocketAddr,
    path: &str,
) -> Result<()> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let head = read_head(stream)?;
    anyhow::ensure!(head.starts_with("HTTP/1.1 101 "), "refused: {head}");
    Ok(())
}

/// 127.0.1.0, 127.0.1.1, and so on.
fn address(number: usize) -> Result<Ipv4Addr> {
    let [_, _, high, low] = u32::try_from(number)?.to_be_bytes();
    Ok(Ipv4Addr::new(127, 0, high.saturating_add(1), low))
}

fn read_head(stream: &mut impl Read) -> Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        anyhow::ensure!(head.len() < ANSWER_BYTES_MAX, "the head has no end");
        stream
            .read_exact(&mut byte)
            .context("no answer to the handshake")?;
        head.extend(byte);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

/// A masked text frame; its mask is zero.
pub(crate) fn text_frame(text: &[u8]) -> Result<Vec<u8>> {
    let length = u16::try_from(text.len())?;
    let mut frame = vec![0x81];
    if length < 126 {
        frame.push(0x80 | u8::try_from(length)?);
    } else {
        frame.push(0x80 | 0x7e);
        frame.extend(length.to_be_bytes());
    }
    frame.extend([0; 4]);
    frame.extend(text);
    Ok(frame)
}

/// The payload of the next frame, which must be a message of up to 64 KiB.
pub(crate) fn read_frame(stream: &mut impl Read) -> Result<Vec<u8>> {
    let mut header = [0; 2];
    stream.read_exact(&mut header).context("no answer")?;
    let [first, short] = header;
    anyhow::ensure!(
        matches!(first, 0x81 | 0x82) && short < 127,
        "not a message: {first:#x}"
    );
    let length = if short == 126 {
        let mut long = [0; 2];
        stream.read_exact(&mut long)?;
        usize::from(u16::from_be_bytes(long))
    } else {
        usize::from(short)
    };
    anyhow::ensure!(length < ANSWER_BYTES_MAX, "an answer of {length} bytes");
    let mut payload = vec![0; length];
    stream.read_exact(&mut payload)?;
    Ok(payload)
}
