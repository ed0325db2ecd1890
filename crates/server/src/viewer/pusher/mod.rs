//! The endpoint that speaks the Pusher protocol, sandbox only (`spec 4.2`). Its channels carry no
//! identity: everything sent to one, whispers included, reaches every socket on it.

mod channel;
mod connection;
mod frames;
mod way;

pub(super) use connection::upgrade;
pub use way::PusherWay;
