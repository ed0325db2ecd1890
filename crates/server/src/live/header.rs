//! Headers of frames as they come in (RFC 6455, 5.2).

use super::frame::CONTROL_BYTES_MAX;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// The header of a client's frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Last fragment of its message.
    pub(super) last: bool,
    pub(super) opcode: Opcode,
    pub(super) mask: [u8; 4],
    pub(super) payload_bytes: u64,
    /// Length of this header itself.
    pub(super) own_bytes: usize,
}

/// Why a header is refused: the reason of the close frame 1002.
pub(super) type Breach = &'static str;

/// Reads a header at the start of `input`; `None` when more bytes are needed. What can be refused
/// by the first two bytes is refused then.
pub(super) fn parse(input: &[u8]) -> Result<Option<Header>, Breach> {
    let [first, second, rest @ ..] = input else {
        return Ok(None);
    };
    if first & 0x70 != 0 {
        return Err("reserved bits are set");
    }
    let last = first & 0x80 != 0;
    let opcode = opcode(first & 0x0f)?;
    if second & 0x80 == 0 {
        return Err("frame is not masked");
    }
    let short = second & 0x7f;
    if opcode as u8 >= Opcode::Close as u8 {
        if !last {
            return Err("control frame is fragmented");
        }
        if usize::from(short) > CONTROL_BYTES_MAX {
            return Err("control frame is too long");
        }
    }
    let (payload_bytes, rest, length_bytes) = match short {
        126 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from(u16::from_be_bytes(*length)), rest, 2),
            None => return Ok(None),
        },
        127 => match rest.split_first_chunk() {
            Some((length, rest)) => (u64::from_be_bytes(*length), rest, 8),
            None => return Ok(None),
        },
        short => (u64::from(short), rest, 0),
    };
    if payload_bytes >> 63 != 0 {
        return Err("length is negative");
    }
    let Some(mask) = rest.first_chunk() else {
        return Ok(None);
    };
    Ok(Some(Header {
        last,
        opcode,
        mask: *mask,
        payload_bytes,
        own_bytes: 2 + length_bytes + 4,
    }))
}

fn opcode(code: u8) -> Result<Opcode, Breach> {
    match code {
        0 => Ok(Opcode::Continuation),
        1 => Ok(Opcode::Text),
        2 => Ok(Opcode::Binary),
        8 => Ok(Opcode::Close),
        9 => Ok(Opcode::Ping),
        10 => Ok(Opcode::Pong),
        _ => Err("reserved opcode"),
    }
}
