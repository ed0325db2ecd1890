//! Shapes that the document names, because several calls have them or because they are large.

use super::schema::{
    Schema, any, any_object, array, boolean, either, empty, integer, map, number, object, one_of,
    shape, string, within,
};

/// All of them, by name.
pub(super) fn all() -> Vec<(&'static str, Schema)> {
    vec![
        ("Refusal", refusal()),
        ("Document", any_object()),
        ("Patch", patch()),
        ("VoteStatistics", statistics(None)),
        ("VoteReport", statistics(Some(shape("VoteStatistics")))),
        ("PollDefinition", poll_definition()),
        ("PollConfig", poll_config()),
        ("TriviaText", trivia_text()),
        ("TriviaQuestion", question()),
        ("TriviaLeaderboard", leaderboard()),
        ("Broadcast", broadcast()),
        ("Gateway", gateway()),
        ("Entitlement", entitlement()),
    ]
}

fn refusal() -> Schema {
    object([
        ("reason", string()),
        ("info", string()),
        ("status", within(400, 599)),
    ])
}

/// RFC 6902, or RFC 7396.
fn patch() -> Schema {
    let operation = object([
        (
            "op",
            one_of(["add", "remove", "replace", "move", "copy", "test"]),
        ),
        ("path", string()),
        ("from?", string()),
        ("value?", any()),
    ]);
    either([array(operation), any_object()])
}

/// The numbers of a poll; a report has them twice.
fn statistics(again: Option<Schema>) -> Schema {
    let numbers = object([
        ("count", integer()),
        ("sum", integer()),
        ("mean", number()),
        ("stddev", number()),
        ("specific", array(integer())),
    ]);
    let Some(again) = again else { return numbers };
    object([
        ("count", integer()),
        ("sum", integer()),
        ("mean", number()),
        ("stddev", number()),
        ("specific", array(integer())),
        ("decay", empty()),
        ("vote?", integer()),
        ("stats", again),
    ])
}

fn poll_definition() -> Schema {
    object([
        ("prompt?", string()),
        ("options?", array(string())),
        ("userData?", any()),
        ("userIDVoting?", boolean()),
        ("distinctOptionsPerUser?", within(1, 258)),
        ("totalVotesPerUser?", within(1, 1_024)),
        ("votesPerOption?", within(1, 1_024)),
        ("disabled?", boolean()),
        ("startsAt?", integer()),
        ("endsAt?", integer()),
        ("startsIn?", integer()),
        ("endsIn?", integer()),
    ])
}

fn poll_config() -> Schema {
    object([
        ("id", string()),
        ("prompt", string()),
        ("options", array(string())),
        ("userData?", any()),
        ("userIDVoting", boolean()),
        ("distinctOptionsPerUser", integer()),
        ("totalVotesPerUser", integer()),
        ("votesPerOption", integer()),
        ("disabled", boolean()),
        ("startsAt", integer()),
        ("endsAt", integer()),
        ("startsIn", integer()),
        ("endsIn", integer()),
        ("status", one_of(["pending", "active", "expired"])),
    ])
}

fn trivia_text() -> Schema {
    object([
        ("id", string()),
        ("name", string()),
        ("short_name", string()),
        ("description", string()),
        ("image?", string()),
        ("order?", number()),
    ])
}

fn question() -> Schema {
    let results = object([
        ("you?", string()),
        ("winner?", string()),
        ("votes?", map(integer())),
    ]);
    object([
        ("id", string()),
        ("name", string()),
        ("short_name", string()),
        ("description", string()),
        ("image?", string()),
        ("order?", number()),
        ("state", trivia_state()),
        ("options", array(shape("TriviaText"))),
        ("results", results),
    ])
}

/// What a question takes and shows.
pub(in crate::rest) fn trivia_state() -> Schema {
    one_of([
        "state-inactive",
        "state-unlocked",
        "state-locked",
        "state-results",
    ])
}

fn leaderboard() -> Schema {
    let score = object([
        ("question_id", string()),
        ("broadcaster_correct", boolean()),
        ("team_participation", number()),
        ("team_participants", integer()),
        ("percent_correct", number()),
        ("team_votes", integer()),
        ("score_values", array(number())),
    ]);
    let team = object([
        ("team_id", string()),
        ("combined_score", number()),
        ("questions", map(score)),
    ]);
    object([("leaderboard", array(team))])
}

fn broadcast() -> Schema {
    object([
        ("target?", string()),
        ("event?", string()),
        ("user_id?", string()),
        ("data?", any()),
    ])
}

fn gateway() -> Schema {
    let action = object([
        ("id", string()),
        ("category", one_of(["neutral", "hinder", "help"])),
        ("state", one_of(["unavailable", "available"])),
        ("impact", integer()),
        ("name", string()),
        ("description", string()),
        ("icon", string()),
        ("count", integer()),
        ("inventory", integer()),
        ("price", integer()),
    ]);
    let metadata = object([
        ("name?", string()),
        ("logo?", string()),
        ("theme?", string()),
    ]);
    object([
        ("metadata?", metadata),
        ("actions", array(action)),
        ("texts", array(any_object())),
    ])
}

fn entitlement() -> Schema {
    object([
        ("id", string()),
        ("benefit_id", string()),
        ("user_id", string()),
        ("game_id", string()),
        ("fulfillment_status", one_of(["CLAIMED", "FULFILLED"])),
        ("service?", string()),
    ])
}
