//! What a fuzzer needs of the decoder (cargo feature `fuzzing`); no part of the API otherwise.

use super::decoder::{Decoder, Fault, Found, Message};

/// What a peer was seen to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping with its payload.
    Ping(Vec<u8>),
    /// A frame that carries nothing.
    Idle,
    /// The peer's close frame, with its code.
    Close(u16),
    /// The close code the stream is refused with.
    Fault(u16),
}

/// Decodes a stream that comes in these reads, up to its first fault or close. Answers with what
/// was seen, and with the most memory that was held between two reads, in bytes.
pub fn decode<'a>(
    reads: impl IntoIterator<Item = &'a [u8]>,
    message_bytes_max: usize,
) -> (Vec<Seen>, usize) {
    let mut decoder = Decoder::default();
    let (mut seen, mut held_bytes) = (Vec::new(), 0);
    for read in reads {
        if let Err(fault) = decoder.feed(read) {
            seen.push(Seen::Fault(fault.code.get()));
            break;
        }
        if !drain(&mut decoder, message_bytes_max, &mut seen) {
            break;
        }
        held_bytes = held_bytes.max(decoder.held_bytes());
    }
    (seen, held_bytes)
}

/// Whether the stream goes on.
fn drain(decoder: &mut Decoder, message_bytes_max: usize, seen: &mut Vec<Seen>) -> bool {
    loop {
        let shown = match decoder.step(message_bytes_max) {
            Ok(None) => return true,
            Ok(Some(found)) => show(decoder, &found),
            Err(fault) => Err(fault),
        };
        let shown = shown.unwrap_or_else(|fault| Seen::Fault(fault.code.get()));
        let ends = matches!(shown, Seen::Close(_) | Seen::Fault(_));
        seen.push(shown);
        if ends {
            return false;
        }
    }
}

fn show(decoder: &Decoder, found: &Found) -> Result<Seen, Fault> {
    Ok(match found {
        Found::Message(place) => match decoder.message(place)? {
            Message::Text(text) => Seen::Text(text.to_owned()),
            Message::Binary(bytes) => Seen::Binary(bytes.to_owned()),
        },
        Found::Ping(range) => Seen::Ping(decoder.control(range).to_owned()),
        Found::Idle => Seen::Idle,
        Found::Close(code) => Seen::Close(code.get()),
    })
}
