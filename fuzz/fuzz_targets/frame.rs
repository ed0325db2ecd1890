//! Frames of a client (RFC 6455): decoding never panics, holds no more than a message may have,
//! and sees the same however the stream is cut into reads.
#![no_main]

use crowdlink_server::live::fuzzing::{Seen, decode};
use libfuzzer_sys::fuzz_target;

/// Largest message, so small that the fuzzer reaches it.
const MESSAGE_BYTES_MAX: usize = 512;
/// Longest header or control frame that may wait beside it.
const WAITING_BYTES_MAX: usize = 2 + 8 + 4 + 125;

fuzz_target!(|input: (u8, Vec<u8>)| {
    let (piece, stream) = input;
    let (whole, _) = decode([&*stream], MESSAGE_BYTES_MAX);
    let piece = usize::from(piece).max(1);
    let (cut, held_bytes) = decode(stream.chunks(piece), MESSAGE_BYTES_MAX);
    assert_eq!(whole, cut);
    assert!(held_bytes <= MESSAGE_BYTES_MAX + WAITING_BYTES_MAX + piece, "{held_bytes}");
    for seen in whole {
        match seen {
            Seen::Text(text) => assert!(text.len() <= MESSAGE_BYTES_MAX),
            Seen::Binary(bytes) => assert!(bytes.len() <= MESSAGE_BYTES_MAX),
            Seen::Ping(payload) => assert!(payload.len() <= 125),
            Seen::Idle | Seen::Close(_) | Seen::Fault(_) => {}
        }
    }
});
