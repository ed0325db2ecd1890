//! The golden requests of a game that plays with its viewers (`spec 2.8`–`2.13`), and the types of
//! what it is told.

use std::collections::BTreeMap;

use crowdlink_protocol::{
    ActionStateCall, Call, CandidateItem, DatastreamCall, DropsCall, GatewayCall, Json,
    MatchmakingCall, PurchaseCall, RefundOf, Request, StreamBatch, StreamItem, TransactionItem,
};
use serde_json::Value;
use serde_json::value::RawValue;

use super::frames;

const ID: &str = "018bcfe5-6800-7000-8000-000000000001";
const ACTIONS: &str = r#"[{"id":"heal","category":"help","state":"available","impact":1,"name":"A name","description":"What it does","icon":"sword","count":3}]"#;

fn streams() -> [(&'static str, Call<'static>); 13] {
    let purchases = Call::Purchases;
    let matchmaking = Call::Matchmaking;
    [
        (
            "subscribe_datastream",
            Call::Datastream(DatastreamCall::Subscribe),
        ),
        (
            "unsubscribe_datastream",
            Call::Datastream(DatastreamCall::Unsubscribe),
        ),
        (
            "subscribe_purchases",
            purchases(PurchaseCall::Subscribe("*".into())),
        ),
        (
            "get_transactions",
            purchases(PurchaseCall::Get("heal".into())),
        ),
        (
            "refund_transaction",
            purchases(PurchaseCall::Refund {
                of: RefundOf::Transaction(ID.into()),
                user_id: "77".into(),
            }),
        ),
        (
            "refund_sku",
            purchases(PurchaseCall::Refund {
                of: RefundOf::Sku("heal".into()),
                user_id: "77".into(),
            }),
        ),
        (
            "validate_transaction",
            purchases(PurchaseCall::Validate {
                transaction_id: ID.into(),
                details: Some("given".into()),
            }),
        ),
        (
            "unsubscribe_purchases",
            purchases(PurchaseCall::Unsubscribe("*".into())),
        ),
        (
            "subscribe_matchmaking",
            matchmaking(MatchmakingCall::Subscribe),
        ),
        ("get_matchmaking", matchmaking(MatchmakingCall::Get)),
        (
            "remove_matchmaking",
            matchmaking(MatchmakingCall::Remove("77".into())),
        ),
        ("clear_matchmaking", matchmaking(MatchmakingCall::Clear)),
        (
            "unsubscribe_matchmaking",
            matchmaking(MatchmakingCall::Unsubscribe),
        ),
    ]
}

fn others(actions: &RawValue) -> [(&'static str, Call<'_>); 6] {
    let state = ActionStateCall {
        id: "heal".into(),
        state: Some("available".into()),
        count: Some(5),
        inventory: None,
        delta: Some(-1),
    };
    let metadata = [Some("My Game".into()), Some("aGk=".into()), None];
    [
        (
            "get_drops",
            Call::Drops(DropsCall::Get(Some("CLAIMED".into()))),
        ),
        ("get_all_drops", Call::Drops(DropsCall::Get(None))),
        (
            "validate_drop",
            Call::Drops(DropsCall::Validate("d1".into())),
        ),
        (
            "set_actions",
            Call::Gateway(GatewayCall::SetActions(Json(actions))),
        ),
        (
            "set_action_state",
            Call::Gateway(GatewayCall::SetActionState(state)),
        ),
        (
            "set_metadata",
            Call::Gateway(GatewayCall::SetMetadata(metadata)),
        ),
    ]
}

/// Whether a golden request is looked at here.
pub(super) fn is(name: &str) -> bool {
    let actions = RawValue::from_string("[]".to_owned()).unwrap();
    let others = others(&actions);
    let names = streams()
        .map(|(name, _)| name)
        .into_iter()
        .chain(others.map(|(name, _)| name));
    names.into_iter().any(|known| known == name)
}

#[test]
fn the_decoder_reads_every_request_of_a_game_that_plays() {
    let actions = RawValue::from_string(ACTIONS.to_owned()).unwrap();
    let expected: BTreeMap<_, _> = streams().into_iter().chain(others(&actions)).collect();
    let frames = frames("request");
    for (name, call) in &expected {
        let request = Request::parse(frames.get(*name).unwrap()).unwrap();
        assert_eq!(Call::parse(&request).as_ref(), Ok(call), "{name}");
        assert!(!Call::is_open(&request), "{name}");
    }
}

/// The data of a golden frame, as text.
fn data(kind: &str, name: &str) -> String {
    let frame: Value = serde_json::from_str(frames(kind).get(name).unwrap()).unwrap();
    frame.get("data").unwrap().to_string()
}

#[test]
fn what_games_are_told_has_these_fields_in_this_order() {
    for name in ["purchase_bits", "purchase_coins"] {
        let text = data("event", name);
        let item: TransactionItem<'_> = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_string(&item).unwrap(), text);
    }
    let text = data("event", "matchmaking");
    let item: CandidateItem<'_> = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&item).unwrap(), text);
    let text = data("event", "datastream");
    let batch: StreamBatch<StreamItem> = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json::to_string(&batch).unwrap(), text);
}
