//! Frames as they go out, and the codes a connection is closed with (RFC 6455).

use bytes::Bytes;
use serde::Serialize;

use super::header::Opcode;

/// Longest payload of a control frame, in bytes (RFC 6455, 5.5).
pub(super) const CONTROL_BYTES_MAX: usize = 125;
/// Longest reason that fits into a close frame beside its code, in bytes.
pub const CLOSE_REASON_BYTES_MAX: usize = CONTROL_BYTES_MAX - 2;
/// Longest header of a server frame, in bytes.
const HEADER_BYTES_MAX: usize = 10;

/// Why a connection is closed, as both sides read it (RFC 6455, 7.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CloseCode(u16);

impl CloseCode {
    /// 1000: done.
    pub const NORMAL: Self = Self(1000);
    /// 1001: the server restarts or stops; reconnect at once.
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: not the WebSocket protocol.
    pub const PROTOCOL: Self = Self(1002);
    /// 1003: not text or not JSON.
    pub const UNSUPPORTED: Self = Self(1003);
    /// 1005: never sent; stands for a close frame without a code.
    pub const NONE: Self = Self(1005);
    /// 1007: text that is not UTF-8.
    pub const INVALID_TEXT: Self = Self(1007);
    /// 1008: policy, such as PIN guessing, rates, revocation.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message above the limit.
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: our fault.
    pub const INTERNAL: Self = Self(1011);
    /// 1013: try again later.
    pub const TRY_AGAIN_LATER: Self = Self(1013);

    /// A code that may stand in a close frame: 1000–1003, 1007–1014 and 3000–4999; else `None`.
    pub fn new(code: u16) -> Option<Self> {
        matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(Self(code))
    }

    /// The number.
    pub fn get(self) -> u16 {
        self.0
    }
}

/// One encoded server frame, header and payload; cloning shares the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::whole(Opcode::Text, text.as_bytes())
    }

    /// A text message holding a value as JSON, written once, without a copy.
    ///
    /// # Errors
    /// As `serde_json::to_writer`: the value cannot be shown as JSON.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self, serde_json::Error> {
        // The header's length is known only after the payload: leave room before it.
        let mut bytes = Vec::with_capacity(256);
        bytes.resize(HEADER_BYTES_MAX, 0);
        serde_json::to_writer(&mut bytes, value)?;
        let (header, length) = header(Opcode::Text, bytes.len() - HEADER_BYTES_MAX);
        let start = HEADER_BYTES_MAX - length;
        for (place, byte) in bytes.iter_mut().skip(start).zip(header.iter().take(length)) {
            *place = *byte;
        }
        Ok(Self(Bytes::from(bytes).slice(start..)))
    }

    /// Several messages as one: nothing else that is sent comes between them.
    pub fn sequence(messages: &[Self]) -> Self {
        if let [only] = messages {
            return only.clone();
        }
        let whole: Vec<u8> = messages.iter().flat_map(|m| m.0.iter().copied()).collect();
        Self(whole.into())
    }

    /// A binary message.
    pub fn binary(payload: &[u8]) -> Self {
        Self::whole(Opcode::Binary, payload)
    }

    /// The server's ping: no payload.
    pub(super) fn ping() -> Self {
        Self(Bytes::from_static(&[0x89, 0]))
    }

    /// The answer to a ping.
    pub(super) fn pong(payload: &[u8]) -> Self {
        Self::whole(Opcode::Pong, payload)
    }

    /// A close frame; the reason is cut to [`CLOSE_REASON_BYTES_MAX`] bytes, [`CloseCode::NONE`]
    /// sends an empty frame.
    pub(super) fn close(code: CloseCode, reason: &str) -> Self {
        if code == CloseCode::NONE {
            return Self::whole(Opcode::Close, &[]);
        }
        let reason = reason
            .get(..reason.floor_char_boundary(CLOSE_REASON_BYTES_MAX))
            .unwrap_or_default();
        let mut payload = Vec::with_capacity(CONTROL_BYTES_MAX);
        payload.extend_from_slice(&code.0.to_be_bytes());
        payload.extend_from_slice(reason.as_bytes());
        Self::whole(Opcode::Close, &payload)
    }

    /// Header and payload.
    pub fn as_bytes(&self) -> &Bytes {
        &self.0
    }

    fn whole(opcode: Opcode, payload: &[u8]) -> Self {
        let (header, length) = header(opcode, payload.len());
        let mut bytes = Vec::with_capacity(length + payload.len());
        bytes.extend(header.iter().take(length));
        bytes.extend_from_slice(payload);
        Self(bytes.into())
    }
}

/// The header of a final, unmasked frame and how many bytes of it count.
fn header(opcode: Opcode, payload: usize) -> ([u8; HEADER_BYTES_MAX], usize) {
    let mut header = [0; HEADER_BYTES_MAX];
    let [first, second, length @ ..] = &mut header;
    *first = 0x80 | opcode as u8;
    let bytes = (payload as u64).to_be_bytes();
    let (marker, digits) = match payload {
        0..=CONTROL_BYTES_MAX => (None, 1),
        126..=0xffff => (Some(126), 2),
        _ => (Some(127), 8),
    };
    let digits = bytes.get(bytes.len() - digits..).unwrap_or_default();
    if let Some(marker) = marker {
        *second = marker;
        for (place, digit) in length.iter_mut().zip(digits) {
            *place = *digit;
        }
        (header, 2 + digits.len())
    } else {
        *second = bytes[7];
        (header, 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_is_written_in_the_shortest_of_three_forms() {
        for (length, header) in [
            (0, vec![0x82, 0]),
            (125, vec![0x82, 125]),
            (126, vec![0x82, 126, 0, 126]),
            (65_535, vec![0x82, 126, 255, 255]),
            (65_536, vec![0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
        ] {
            let frame = Frame::binary(&vec![7; length]);
            assert_eq!(frame.as_bytes().len(), header.len() + length);
            assert_eq!(&frame.as_bytes()[..header.len()], &header);
        }
    }

    #[test]
    fn json_written_in_place_equals_text_of_that_json() {
        for size in [0, 100, 124, 200, 70_000] {
            let value = "x".repeat(size);
            let text = serde_json::to_string(&value).unwrap();
            assert_eq!(Frame::json(&value).unwrap(), Frame::text(&text));
        }
    }

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let frame = Frame::close(CloseCode::POLICY, &"é".repeat(100));
        let payload = &frame.as_bytes()[2..];
        assert_eq!(payload.len(), 2 + 122);
        assert!(std::str::from_utf8(&payload[2..]).is_ok());
    }

    #[test]
    fn only_codes_that_may_be_sent_can_be_made() {
        for code in [1000, 1003, 1007, 1013, 3000, 4000, 4999] {
            assert_eq!(CloseCode::new(code).map(CloseCode::get), Some(code));
        }
        for code in [0, 999, 1004, 1005, 1006, 1015, 2000, 2999, 5000] {
            assert_eq!(CloseCode::new(code), None);
        }
    }
}
