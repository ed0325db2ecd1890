//! Live connections: WebSockets that cost next to nothing while idle (DESIGN 4).
//!
//! Knows nothing of the domain. An edge checks a handshake ([`upgrade`]), answers 101 and opens the
//! socket with a [`Handler`]. From then on one small task runs the connection:
//!
//! - reads land in a buffer of the thread, so an idle connection has none (`connection`, `decoder`);
//! - whoever sends, writes; what the peer does not take waits in a bounded queue and goes out
//!   merged (`delivery`, `outbound`);
//! - one wheel holds the time of all connections (`wheel`, `deadlines`);
//! - [`Hub`] maps topics to sessions.

mod connection;
mod crier;
mod deadlines;
mod decoder;
mod delivery;
mod engine;
mod frame;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod handshake;
mod header;
mod hub;
mod io;
mod limits;
mod mask;
mod open_files;
mod outbound;
mod quota;
mod rate;
mod roster;
mod secure;
mod session;
mod wheel;

pub use connection::{Flow, Handler};
pub use decoder::Message;
pub use engine::Live;
pub use frame::{CLOSE_REASON_BYTES_MAX, CloseCode, Frame};
pub use handshake::{PendingSocket, Refusal, Upgrade, is_upgrade, upgrade};
pub use hub::{Hub, SubscribeError};
pub use io::Io;
pub use limits::LiveLimits;
pub use open_files::{FilePermit, OpenFiles};
pub use outbound::SlotKey;
pub use quota::{AddressKey, Permit, Quota};
pub use rate::{RateLimit, RequestRate, TokenBucket, Verdict};
pub use secure::Secure;
pub use session::{CloseReason, Session, Tag};
