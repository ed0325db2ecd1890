//! Lines over a Unix socket, some with file descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use tokio::io::Interest;
use tokio::net::UnixStream;

use super::TakeoverError;

/// Most descriptors of one line; there are five edges.
pub(super) const DESCRIPTORS_MAX: usize = 8;
/// Longest line, in bytes.
const LINE_BYTES_MAX: usize = 4_096;

/// A descriptor that leaks into a child would keep an address in use.
#[cfg(target_os = "linux")]
const RECEIVE: RecvFlags = RecvFlags::CMSG_CLOEXEC;
#[cfg(not(target_os = "linux"))]
const RECEIVE: RecvFlags = RecvFlags::empty();

/// Refuses a process of another user.
pub(super) fn check_user(stream: &UnixStream) -> Result<(), TakeoverError> {
    same_user(
        stream.peer_cred()?.uid(),
        rustix::process::geteuid().as_raw(),
    )
}

fn same_user(uid: u32, own: u32) -> Result<(), TakeoverError> {
    if uid == own {
        Ok(())
    } else {
        Err(TakeoverError::OtherUser { uid })
    }
}

/// Sends one line, whole, with descriptors.
pub(super) async fn send(
    stream: &UnixStream,
    line: &str,
    descriptors: &[BorrowedFd<'_>],
) -> Result<(), TakeoverError> {
    let bytes = format!("{line}\n").into_bytes();
    let sent = stream
        .async_io(Interest::WRITABLE, || {
            let mut space =
                [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            let fits = descriptors.is_empty()
                || control.push(SendAncillaryMessage::ScmRights(descriptors));
            if !fits {
                return Err(io::Error::other("too many descriptors"));
            }
            let sent = sendmsg(
                stream,
                &[IoSlice::new(&bytes)],
                &mut control,
                SendFlags::NOSIGNAL,
            )?;
            Ok(sent)
        })
        .await?;
    if sent == bytes.len() {
        Ok(())
    } else {
        Err(TakeoverError::Malformed("less than a line".to_owned()))
    }
}

/// Receives one line and the descriptors that came with it.
pub(super) async fn receive(stream: &UnixStream) -> Result<(String, Vec<OwnedFd>), TakeoverError> {
    let mut line = Vec::new();
    let mut descriptors = Vec::new();
    loop {
        let (part, more) = receive_part(stream).await?;
        descriptors.extend(more);
        if part.is_empty() {
            return Err(TakeoverError::Malformed("less than a line".to_owned()));
        }
        line.extend(part);
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            line.truncate(end);
            break;
        }
        if line.len() > LINE_BYTES_MAX || descriptors.len() > DESCRIPTORS_MAX {
            return Err(TakeoverError::Malformed("too much".to_owned()));
        }
    }
    match String::from_utf8(line) {
        Ok(line) => Ok((line, descriptors)),
        Err(_) => Err(TakeoverError::Malformed("no text".to_owned())),
    }
}

async fn receive_part(stream: &UnixStream) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    stream
        .async_io(Interest::READABLE, || {
            let mut bytes = vec![0; LINE_BYTES_MAX];
            let mut space =
                [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS_MAX))];
            let mut control = RecvAncillaryBuffer::new(&mut space);
            let mut parts = [IoSliceMut::new(&mut bytes)];
            let received = recvmsg(stream, &mut parts, &mut control, RECEIVE)?;
            let mut descriptors = Vec::new();
            for message in control.drain() {
                if let RecvAncillaryMessage::ScmRights(rights) = message {
                    descriptors.extend(rights);
                }
            }
            bytes.truncate(received.bytes);
            Ok((bytes, descriptors))
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_of_another_user_is_refused_even_where_it_is_root() {
        assert!(same_user(1_000, 1_000).is_ok());
        for (uid, own) in [(0, 1_000), (1_000, 0), (1_001, 1_000)] {
            let refused = same_user(uid, own).unwrap_err();
            assert!(matches!(refused, TakeoverError::OtherUser { uid: named } if named == uid));
        }
    }
}
