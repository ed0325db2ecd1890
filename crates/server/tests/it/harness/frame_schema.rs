//! What the data of each frame must be (`spec 2.3`–`2.13`): every field that a client reads, with
//! its type, and no field that it does not know. Held against every frame of every test.

use serde_json::{Map, Value};

/// The type of a field.
enum Type {
    Text,
    /// Within what the client keeps it in: 64 bits with a sign.
    Integer,
    Bool,
    /// Whatever a viewer or the game itself put in.
    Object,
    /// One of these texts.
    Word(&'static [&'static str]),
    /// Any number that JSON has.
    Number,
    /// So many whole numbers.
    Integers(usize),
    /// An object of this shape.
    Shaped(&'static Shape),
    /// Objects of this shape by name, at least one.
    Map(&'static Shape),
    /// A list of objects of this shape, and whether it may be empty.
    List(&'static Shape, bool),
}

/// Names, types, and whether a field may be left out.
type Shape = [(&'static str, Type, bool)];

const OK: &Shape = &[("ok", Type::Bool, false)];
const STATE: &Shape = &[("ok", Type::Bool, false), ("state", Type::Object, false)];
const STATE_EVENT: &Shape = &[
    ("topic_id", Type::Word(&["channel", "extension"]), false),
    ("state", Type::Object, false),
];
const CONFIG: &Shape = &[
    ("ok", Type::Bool, true),
    ("config", Type::Object, false),
    (
        "config_id",
        Type::Word(&["channel", "extension", "combined"]),
        false,
    ),
];
const PAIRED: &Shape = &[
    ("jwt", Type::Text, false),
    ("refresh", Type::Text, true),
    ("twitch_name", Type::Text, false),
    ("twitch_id", Type::Text, false),
];
const AUTHENTICATION: &Shape = &[
    ("event", Type::Word(&["revoked", "expiring"]), false),
    ("expires_at", Type::Integer, true),
];
const STREAMED: &Shape = &[
    ("event", Type::Object, false),
    ("timestamp", Type::Integer, false),
];
const DATASTREAM: &Shape = &[("events", Type::List(STREAMED, false), false)];
const TRANSACTION: &Shape = &[
    ("id", Type::Text, false),
    ("muxy_id", Type::Text, false),
    ("sku", Type::Text, false),
    ("displayName", Type::Text, false),
    ("userId", Type::Text, false),
    ("username", Type::Text, false),
    ("cost", Type::Integer, false),
    ("currency", Type::Word(&["bits", "coins"]), false),
    ("timestamp", Type::Integer, false),
    ("additional", Type::Object, false),
];
const TRANSACTIONS: &Shape = &[("transactions", Type::List(TRANSACTION, true), false)];
const CANDIDATE: &Shape = &[
    ("data", Type::Object, false),
    ("twitch_username", Type::Text, false),
    ("twitch_id", Type::Text, false),
    ("timestamp", Type::Integer, false),
    ("is_follower", Type::Bool, false),
    ("subscription_tier", Type::Integer, false),
    ("bits_spent", Type::Integer, false),
];
const CANDIDATES: &Shape = &[("entries", Type::List(CANDIDATE, true), false)];
const DROP: &Shape = &[
    ("id", Type::Text, false),
    ("benefit_id", Type::Text, false),
    ("user_id", Type::Text, false),
    ("game_id", Type::Text, false),
    (
        "fulfillment_status",
        Type::Word(&["CLAIMED", "FULFILLED"]),
        false,
    ),
    ("service", Type::Text, false),
    ("last_updated", Type::Text, false),
];
const DROPS: &Shape = &[("drops", Type::List(DROP, true), false)];

const RESULT: &Shape = &[
    ("results", Type::Integers(32), false),
    ("stddev", Type::Number, false),
    ("mean", Type::Number, false),
    ("sum", Type::Integer, false),
    ("count", Type::Integer, false),
    ("status", Type::Word(&["active", "expired"]), false),
];
const MATCH_POLL: &Shape = &[
    ("match_id", Type::Text, false),
    ("poll_id", Type::Text, false),
    ("overall", Type::Shaped(RESULT), false),
    ("results", Type::Map(RESULT), false),
];

/// The shape of a frame's data; `None` where this page does not know the target yet.
fn shape(action: &str, target: &str) -> Option<&'static Shape> {
    Some(match (action, target) {
        ("authenticate", _) => PAIRED,
        ("update", "authentication") => AUTHENTICATION,
        ("update" | "get" | "set" | "patch", "config") => CONFIG,
        ("update", "datastream") => DATASTREAM,
        ("update", "twitchPurchaseBits") => TRANSACTION,
        ("update", "matchmaking") => CANDIDATE,
        ("update", "match_poll") => MATCH_POLL,
        ("get", "transaction") => TRANSACTIONS,
        ("get", "matchmaking") => CANDIDATES,
        ("get", "drops") => DROPS,
        ("get" | "set" | "patch", "state") | ("get" | "set", "channel" | "extension") => STATE,
        (
            "subscribe" | "unsubscribe",
            "authentication"
            | "state"
            | "config"
            | "datastream"
            | "matchmaking"
            | "match_poll"
            | "twitchPurchaseBits"
            | "transaction_complete"
            | "transaction_completed"
            | "twitchBitsPurchase",
        )
        | ("validate" | "refund", "transaction")
        | ("create" | "keepalive" | "add_channels" | "remove_channels" | "broadcast", "match")
        | ("create" | "reconfigure" | "delete", "match_poll")
        | ("clear" | "remove", "matchmaking")
        | ("validate", "drops")
        | ("set", "gatewayActions" | "gatewayActionState" | "gameMetadata") => OK,
        _ => return None,
    })
}

/// Asserts that the data of a frame is what its action and target ask for.
pub(super) fn check(meta: &Map<String, Value>, data: &Map<String, Value>) {
    let word = |name: &str| meta[name].as_str().unwrap();
    let (action, target) = (word("action"), word("target"));
    match (action, target) {
        // The answer to a patch and the event have one name in the documented spelling.
        ("update", "channel" | "extension") if meta["request_id"] == 65_535 => {
            check_object(data, STATE_EVENT);
        }
        ("update", "channel" | "extension") => check_object(data, STATE),
        _ => {
            if let Some(shape) = shape(action, target) {
                check_object(data, shape);
            }
        }
    }
}

fn check_object(fields: &Map<String, Value>, shape: &Shape) {
    for (name, kind, optional) in shape {
        match fields.get(*name) {
            Some(value) => assert!(fits(value, kind), "the type of {name}: {value}"),
            None => assert!(optional, "no {name} in {fields:?}"),
        }
    }
    for name in fields.keys() {
        assert!(
            shape.iter().any(|(known, ..)| known == name),
            "unknown field {name}"
        );
    }
}

fn fits(value: &Value, kind: &Type) -> bool {
    match kind {
        Type::Text => value.is_string(),
        Type::Integer => value.is_i64(),
        Type::Bool => value.is_boolean(),
        Type::Number => value.is_number(),
        Type::Integers(count) => value
            .as_array()
            .is_some_and(|items| items.len() == *count && items.iter().all(Value::is_i64)),
        Type::Shaped(shape) => value.as_object().is_some_and(|fields| {
            check_object(fields, shape);
            true
        }),
        Type::Map(shape) => value.as_object().is_some_and(|fields| {
            let objects = fields.values().map(|item| item.as_object().unwrap());
            objects.for_each(|item| check_object(item, shape));
            !fields.is_empty()
        }),
        Type::Object => value.is_object(),
        Type::Word(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Type::List(shape, may_be_empty) => value.as_array().is_some_and(|items| {
            let objects = items.iter().map(|item| item.as_object().unwrap());
            objects.for_each(|item| check_object(item, shape));
            *may_be_empty || !items.is_empty()
        }),
    }
}
