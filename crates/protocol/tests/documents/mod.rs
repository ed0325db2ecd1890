//! The golden requests of state and configuration (`spec 2.4`, `spec 2.5`).

use crowdlink_protocol::{
    Call, ConfigCall, ConfigTopic, Json, ReadableConfig, Request, StateCall, StateTopic,
};
use serde_json::value::RawValue;

use super::{frames, raw};

fn calls<'a>(level: &'a RawValue, ops: &'a RawValue) -> [(&'static str, Call<'a>); 11] {
    let (level, ops) = (Json(level), Json(ops));
    let (state, config) = (StateTopic::Channel, ConfigTopic::Channel);
    let one = ReadableConfig::One(config);
    [
        ("state_subscribe", Call::State(StateCall::Subscribe(state))),
        ("state_set", Call::State(StateCall::Set(state, level))),
        ("state_patch", Call::State(StateCall::Patch(state, ops))),
        ("state_get", Call::State(StateCall::Get(state))),
        (
            "state_unsubscribe",
            Call::State(StateCall::Unsubscribe(state)),
        ),
        (
            "config_subscribe",
            Call::Config(ConfigCall::Subscribe(config)),
        ),
        ("config_set", Call::Config(ConfigCall::Set(level))),
        ("config_patch", Call::Config(ConfigCall::Patch(ops))),
        ("config_get", Call::Config(ConfigCall::Get(one))),
        (
            "config_combined",
            Call::Config(ConfigCall::Get(ReadableConfig::Combined)),
        ),
        (
            "config_unsubscribe",
            Call::Config(ConfigCall::Unsubscribe(config)),
        ),
    ]
}

/// Whether a request is one of these.
pub(super) fn is(name: &str) -> bool {
    let nothing = raw("{}");
    let mut known = calls(&nothing, &nothing).into_iter();
    known.any(|(known, _)| known == name)
}

#[test]
fn the_decoder_reads_every_request_of_documents() {
    let level = raw(r#"{"level":1}"#);
    let ops = raw(r#"[{"op":"add","path":"/players/red","value":3}]"#);
    let frames = frames("request");
    for (name, call) in calls(&level, &ops) {
        let request = Request::parse(frames.get(name).unwrap()).unwrap();
        assert_eq!(Call::parse(&request).as_ref(), Ok(&call), "{name}");
        assert!(!Call::is_open(&request), "{name}");
    }
}
