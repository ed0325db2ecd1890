//! Shapes of `accumulate` (`spec 3.5`).

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One value that somebody sent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Accumulated {
    /// When it arrived (Unix ms); no two values under one id share it.
    pub observed: i64,
    /// The channel it was sent in; empty where there is none.
    pub channel_id: String,
    /// Who sent it.
    pub opaque_user_id: String,
    /// The same again.
    pub opaque_id: String,
    /// The user, empty where identity is not shared.
    pub user_id: String,
    /// The value, minified.
    pub data: Box<RawValue>,
}

/// A page of values, in the order of `observed`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct AccumulatedPage {
    /// The values.
    pub data: Vec<Accumulated>,
    /// The last `observed`, where the next page starts; 0 where there are no values.
    pub latest: i64,
}
