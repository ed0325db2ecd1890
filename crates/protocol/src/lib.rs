//! The wire types of Crowdlink: identifiers, token claims, the GameLink envelope and
//! the shapes of REST answers.
//!
//! Nothing here does I/O, is asynchronous or reads a clock. The store is unknown to it.

mod accumulate;
mod bounds;
mod call;
mod claims;
mod codes;
mod envelope;
mod games;
mod ids;
mod match_poll;
mod path;
mod poll;
mod rank;
mod reply;
mod rest;
mod role;
mod stage;
mod trivia;

pub use accumulate::{Accumulated, AccumulatedPage};
pub use bounds::{BoundError, JSON_DEPTH_MAX, JSON_OBJECT_KEYS_MAX, check_json_bounds};
pub use call::{
    ActionStateCall, Authenticate, BroadcastCall, Call, CallError, ConfigCall, ConfigTopic,
    Credential, DatastreamCall, DropsCall, GatewayCall, Json, MatchCall, MatchmakingCall, PollCall,
    PollCreation, PollTopic, PurchaseCall, ReadableConfig, RefundOf, StateCall, StateTopic,
};
pub use claims::{Claims, ClaimsError, ascii_json, parse_strict};
pub use codes::{
    CodeNames, CodeRedeemed, CodesDistributed, CodesEligible, CodesMarked, CodesRedeemed,
    PRIZES_MAX,
};
pub use envelope::{EnvelopeError, REQUEST_ID_NONE, Request};
pub use games::{
    CandidateItem, DropItem, Entries, StreamBatch, StreamItem, TransactionItem, Transactions,
};
pub use ids::{CLIENT_ID_CHARS_MAX, ClientId, IdError};
pub use match_poll::{MatchPollReport, MatchPollResult};
pub use path::{SocketPath, SocketPathError, Version};
pub use poll::{
    FieldError, POLL_COUNTERS, PollConfig, PollConfigChange, PollDefinitionChange, PollHead,
    PollReport, PollStatus, VoteNumbers, VoteStatistics,
};
pub use rank::{RankAccepted, RankScore, Ranking};
pub use reply::{ErrorItem, Meta, encode_data, encode_errors, encode_event};
pub use rest::{
    AuthtokenBody, ErrorBody, Grant, Grants, PairingToken, Pin, PinExists, Token, Tokens, UserIds,
    UserIdsEntry, UserInfo, ids_of,
};
pub use role::Role;
pub use stage::Stage;
pub use trivia::{
    QuestionState, TriviaLeaderboard, TriviaLeaderboardTeam, TriviaQuestion, TriviaQuestions,
    TriviaResults, TriviaScore, TriviaState, TriviaTeam, TriviaText,
};
