//! From bytes to messages, holding nothing while a peer is idle (RFC 6455, 5 and 6).
//!
//! What a read brought is copied in once, exactly as long as it is. Whole messages are unmasked and
//! looked at where they lie; only a message that comes in pieces is put together elsewhere. All
//! memory is given back as soon as it is used up.

use std::ops::Range;

use super::frame::CloseCode;
use super::header::{self, Header, Opcode};
use super::mask::unmask;

/// One whole message of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// Valid UTF-8.
    Text(&'a str),
    /// Any bytes.
    Binary(&'a [u8]),
}

/// Why a stream of bytes cannot be read on: the code and reason of the close frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: CloseCode,
    pub(super) reason: &'static str,
}

impl Fault {
    const TEXT: Self = Self {
        code: CloseCode::INVALID_TEXT,
        reason: "text is not UTF-8",
    };

    fn protocol(reason: &'static str) -> Self {
        Self {
            code: CloseCode::PROTOCOL,
            reason,
        }
    }
}

/// What a step found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A message; [`Decoder::message`] shows it until the next step.
    Message(Place),
    /// A ping; [`Decoder::control`] shows its payload until the next step.
    Ping(Range<usize>),
    /// A pong, or a fragment without content: nothing to do, but it counts.
    Idle,
    /// The peer's close frame, with [`CloseCode::NONE`] where it has no code.
    Close(CloseCode),
}

/// Where a message lies, and whether it is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In one piece, as it was read.
    Input { range: Range<usize>, text: bool },
    /// Put together.
    Partial,
}

/// A message that comes in pieces.
#[derive(Debug)]
struct Partial {
    message: Vec<u8>,
    text: bool,
    /// How much of a text is known to be UTF-8.
    checked: usize,
    /// The fragment at hand: its mask, how much of its payload came and is missing, and whether
    /// it is the last one.
    mask: [u8; 4],
    came: usize,
    missing: usize,
    last: bool,
    /// Handed over; may be dropped.
    done: bool,
}

/// Reads messages from a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    input: Vec<u8>,
    /// How much of `input` is used up.
    used: usize,
    partial: Option<Box<Partial>>,
}

impl Decoder {
    /// Takes what one read brought. To be called when [`Decoder::step`] found nothing more.
    ///
    /// # Errors
    /// Text that is not UTF-8 is refused as early as it shows.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        if self.input.is_empty()
            && let Some(partial) = &mut self.partial
        {
            let taken = partial.take(bytes)?;
            bytes = bytes.get(taken..).unwrap_or_default();
        }
        if !bytes.is_empty() {
            self.input.reserve_exact(bytes.len());
            self.input.extend_from_slice(bytes);
        }
        Ok(())
    }

    /// Whether bytes wait that no step has looked at.
    pub(super) fn has_more(&self) -> bool {
        self.used < self.input.len()
    }

    /// Bytes of memory held.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn held_bytes(&self) -> usize {
        let partial = self.partial.as_ref();
        self.input.capacity() + partial.map_or(0, |partial| partial.message.capacity())
    }

    /// The next thing in what was fed; `None` when more bytes are needed. A message longer than
    /// `message_bytes_max` is refused by its header, before any of it is kept.
    pub(super) fn step(&mut self, message_bytes_max: usize) -> Result<Option<Found>, Fault> {
        loop {
            if self.partial.as_ref().is_some_and(|partial| partial.done) {
                self.partial = None;
            }
            if let Some(partial) = &mut self.partial
                && (partial.missing > 0 || partial.last)
            {
                let rest = self.input.get(self.used..).unwrap_or_default();
                self.used += partial.take(rest)?;
                if partial.missing > 0 {
                    self.compact();
                    return Ok(None);
                }
                if partial.last {
                    partial.finish()?;
                    return Ok(Some(Found::Message(Place::Partial)));
                }
            }
            let rest = self.input.get(self.used..).unwrap_or_default();
            let Some(header) = header::parse(rest).map_err(Fault::protocol)? else {
                self.compact();
                return Ok(None);
            };
            let found = if header.opcode as u8 >= Opcode::Close as u8 {
                self.control_frame(header)?
            } else {
                self.data_frame(header, message_bytes_max)?
            };
            match found {
                Step::Found(found) => return Ok(Some(found)),
                Step::Short => {
                    self.compact();
                    return Ok(None);
                }
                Step::Again => {}
            }
        }
    }

    /// The message a step found.
    pub(super) fn message(&self, place: &Place) -> Result<Message<'_>, Fault> {
        let (bytes, text) = match place {
            Place::Input { range, text } => {
                (self.input.get(range.clone()).unwrap_or_default(), *text)
            }
            Place::Partial => self
                .partial
                .as_ref()
                .map_or((&[][..], false), |partial| (&partial.message, partial.text)),
        };
        if !text {
            return Ok(Message::Binary(bytes));
        }
        simdutf8::basic::from_utf8(bytes)
            .map(Message::Text)
            .map_err(|_| Fault::TEXT)
    }

    /// The payload of the ping a step found.
    pub(super) fn control(&self, range: &Range<usize>) -> &[u8] {
        self.input.get(range.clone()).unwrap_or_default()
    }

    /// Forgets everything and gives all memory back.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn control_frame(&mut self, header: Header) -> Result<Step, Fault> {
        let Some(range) = self.unmask_in_place(&header) else {
            return Ok(Step::Short);
        };
        self.used = range.end;
        if header.opcode == Opcode::Ping {
            return Ok(Step::Found(Found::Ping(range)));
        }
        if header.opcode == Opcode::Pong {
            return Ok(Step::Found(Found::Idle));
        }
        let code = match self.control(&range) {
            [] => CloseCode::NONE,
            [high, low, reason @ ..] => {
                simdutf8::basic::from_utf8(reason).map_err(|_| Fault::TEXT)?;
                CloseCode::new(u16::from_be_bytes([*high, *low]))
                    .ok_or(Fault::protocol("invalid close code"))?
            }
            [_] => return Err(Fault::protocol("close frame of one byte")),
        };
        Ok(Step::Found(Found::Close(code)))
    }

    fn data_frame(&mut self, header: Header, message_bytes_max: usize) -> Result<Step, Fault> {
        let before = self
            .partial
            .as_ref()
            .map_or(0, |partial| partial.message.len());
        let payload = usize::try_from(header.payload_bytes).unwrap_or(usize::MAX);
        if before.saturating_add(payload) > message_bytes_max {
            return Err(Fault {
                code: CloseCode::TOO_BIG,
                reason: "message is too big",
            });
        }
        let text = header.opcode == Opcode::Text;
        match (&mut self.partial, header.opcode) {
            (Some(partial), Opcode::Continuation) => partial.next_fragment(&header, payload),
            (None, Opcode::Continuation) => {
                return Err(Fault::protocol("nothing to continue"));
            }
            (Some(_), _) => return Err(Fault::protocol("message inside a message")),
            (None, _) => {
                if header.last
                    && let Some(range) = self.unmask_in_place(&header)
                {
                    self.used = range.end;
                    return Ok(Step::Found(Found::Message(Place::Input { range, text })));
                }
                self.partial = Some(Box::new(Partial::new(&header, payload, text)));
            }
        }
        self.used += header.own_bytes;
        if payload == 0 && !header.last {
            return Ok(Step::Found(Found::Idle));
        }
        Ok(Step::Again)
    }

    /// Unmasks the payload behind a header where it lies, if all of it is there.
    fn unmask_in_place(&mut self, header: &Header) -> Option<Range<usize>> {
        let start = self.used + header.own_bytes;
        let end = start.checked_add(usize::try_from(header.payload_bytes).ok()?)?;
        unmask(self.input.get_mut(start..end)?, header.mask, 0);
        Some(start..end)
    }

    /// Keeps only what is not used up: less than one control frame.
    fn compact(&mut self) {
        if self.used > 0 {
            self.input = self.input.get(self.used..).unwrap_or_default().to_vec();
            self.used = 0;
        }
    }
}

enum Step {
    Found(Found),
    /// More bytes are needed.
    Short,
    /// Look again.
    Again,
}

impl Partial {
    fn new(header: &Header, missing: usize, text: bool) -> Self {
        Self {
            message: Vec::new(),
            text,
            checked: 0,
            mask: header.mask,
            came: 0,
            missing,
            last: header.last,
            done: false,
        }
    }

    fn next_fragment(&mut self, header: &Header, missing: usize) {
        self.mask = header.mask;
        self.came = 0;
        self.missing = missing;
        self.last = header.last;
    }

    /// Takes as much of the fragment as `bytes` has and tells how much that was.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Fault> {
        let part = bytes.get(..self.missing).unwrap_or(bytes);
        if part.is_empty() {
            return Ok(0);
        }
        self.make_room(part.len());
        let start = self.message.len();
        self.message.extend_from_slice(part);
        if let Some(part) = self.message.get_mut(start..) {
            unmask(part, self.mask, self.came);
        }
        self.came += part.len();
        self.missing -= part.len();
        self.check_text()?;
        Ok(part.len())
    }

    /// Grows by doubling, but never beyond what the fragment at hand needs.
    fn make_room(&mut self, bytes: usize) {
        let needed = self.message.len() + bytes;
        if needed > self.message.capacity() {
            let whole = self.message.len() + self.missing;
            let wanted = needed.max(self.message.capacity() * 2).min(whole);
            self.message.reserve_exact(wanted - self.message.len());
        }
    }

    /// Checks what came since the last check; a character may be cut off at the end.
    fn check_text(&mut self) -> Result<(), Fault> {
        if !self.text {
            return Ok(());
        }
        let part = self.message.get(self.checked..).unwrap_or_default();
        match simdutf8::compat::from_utf8(part) {
            Ok(_) => self.checked = self.message.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Fault::TEXT),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.done = true;
        if self.text && self.checked < self.message.len() {
            return Err(Fault::TEXT);
        }
        Ok(())
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;
