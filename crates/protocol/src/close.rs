//! WebSocket close codes (`spec 2.1`).

/// Why a connection ends, as its peer is told. The number tells a client whether to come back:
/// 1001 at once, 1013 later, 1008 not with the same credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u16)]
pub enum CloseCode {
    /// Done.
    Normal = 1000,
    /// The server restarts: reconnect at once.
    GoingAway = 1001,
    /// Frames break RFC 6455.
    Protocol = 1002,
    /// Not text, or not JSON.
    Unsupported = 1003,
    /// Text that is not UTF-8.
    InvalidText = 1007,
    /// PIN guessing, rate, revoked or expired credentials.
    Policy = 1008,
    /// A message over the limit.
    TooBig = 1009,
    /// Our fault.
    Internal = 1011,
    /// Overload or a fault that passes: try again later.
    TryAgainLater = 1013,
}

impl CloseCode {
    /// The number on the wire.
    pub const fn code(self) -> u16 {
        self as u16
    }
}
