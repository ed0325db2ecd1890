//! Shapes of `codes` (`spec 3.8`). Lists are by prize index, from 0.

use serde::{Deserialize, Serialize};

/// Prize indices there are.
pub const PRIZES_MAX: usize = 10;

/// The names of the sets that are there, up to the last; empty where there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeNames {
    /// The names.
    pub names: Vec<String>,
}

/// How many codes of each set went to users, up to the last set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesDistributed {
    /// The counts.
    pub distributed: Vec<u32>,
}

/// How many users were marked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesMarked {
    /// Users, each counted once.
    pub marked: usize,
}

/// How many codes a user may still redeem, of each of the ten prizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesEligible {
    /// The counts.
    pub eligible: Vec<u32>,
}

/// The codes that a user holds, of each of the ten prizes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodesRedeemed {
    /// The codes, in the order in which they were redeemed.
    pub redeemed: Vec<Vec<String>>,
}

/// A code that a user got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CodeRedeemed {
    /// The code.
    pub code: String,
    /// Every code of that prize that the user holds now.
    pub all_prizes: Vec<String>,
}
