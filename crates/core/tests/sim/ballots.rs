//! stub
use crowdlink_core::polls::PollPlace;
pub fn places() -> Vec<PollPlace> {
    Vec::new()
}
