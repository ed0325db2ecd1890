//! Shapes of `rank` (`spec 3.5`).

use serde::{Deserialize, Serialize};

/// How an answer was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankAccepted {
    /// Always true: what is not accepted is refused.
    pub accepted: bool,
    /// The key that this voter had before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original: Option<String>,
}

/// A key and its voters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RankScore {
    /// The key.
    pub key: String,
    /// How many voters have it.
    pub score: u64,
}

/// The keys with most voters, most first, then by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ranking {
    /// The keys.
    pub data: Vec<RankScore>,
}
