//! The platform's PubSub (`spec 4.5`): what reaches it, in which order, and how fast (`spec 5`).

use serde_json::{Value, json};

use crate::harness::{
    EXTENSION, Http, OWNER, Platform, SECRET, Server, Trouble, claims, eventually, sign,
};

/// Less than what flows into a channel's bucket for one message.
const STEP_MS: u64 = 100;

/// A server that sends through a stand-in.
pub(crate) async fn start() -> (Server, Platform) {
    let platform = Platform::start().await;
    let server = Server::start_with(|settings| platform.settings(settings)).await;
    platform.follow(&server.clock);
    (server, platform)
}

pub(crate) async fn send(page: &Http, target: &str, data: Value) {
    let body = json!({ "target": target, "event": "e", "data": data });
    assert_eq!(page.post("/v1/e/broadcast", &body).await.ok(), json!({}));
}

/// Waits for a condition while time goes on in small steps.
pub(crate) async fn in_time(server: &Server, what: &str, holds: impl Fn() -> bool) {
    eventually(what, || async {
        server.advance_ms(STEP_MS);
        holds()
    })
    .await;
}

/// Waits until as many messages of a channel were taken; no time goes by.
pub(crate) async fn taken(platform: &Platform, channel: &str, count: usize) -> Vec<String> {
    eventually("messages at the platform", || async {
        platform.messages(channel).len() >= count
    })
    .await;
    platform.messages(channel)
}

pub(crate) fn numbers(range: std::ops::Range<usize>) -> Vec<Value> {
    range.map(|n| json!(n)).collect()
}

#[tokio::test]
async fn production_goes_out_as_the_platform_wants_it_and_the_sandbox_does_not() {
    let (server, platform) = start().await;
    send(
        &server.page("broadcaster", "42").await,
        "broadcast",
        json!(0),
    )
    .await;
    let page = server.production_page("broadcaster", "42");
    send(&page, "broadcast", json!({ "a": "ü>?~" })).await;
    send(&page, "whisper-Ux", json!(1)).await;
    assert_eq!(
        taken(&platform, "42", 2).await,
        [
            format!(r#"{{"data":{{"a":"ü>?~"}},"event":"production:{EXTENSION}:e"}}"#),
            format!(r#"{{"data":1,"event":"production:{EXTENSION}:e"}}"#),
        ]
    );
    let targets: Vec<_> = platform.taken().into_iter().map(|t| t.target).collect();
    assert_eq!(targets, ["broadcast", "whisper-Ux"]);
    platform.assert_content();
}

#[tokio::test]
async fn what_is_for_all_channels_goes_out_once_for_all() {
    let (server, platform) = start().await;
    let mut owner = claims("broadcaster", OWNER);
    owner["user_id"] = json!(OWNER);
    let page = server
        .rest(crowdlink_protocol::Stage::Production)
        .with(EXTENSION, &sign(&owner, SECRET));
    let state = json!({ "n": 1 });
    page.post("/v1/e/extension_state", &state).await.ok();
    eventually("a message for all", || async {
        !platform.taken().is_empty()
    })
    .await;
    let taken = platform.taken();
    assert_eq!(
        (taken[0].target.as_str(), &taken[0].channel),
        ("global", &None)
    );
    let message: Value = serde_json::from_str(&taken[0].message).unwrap();
    assert_eq!(message["data"], state);
    platform.assert_content();
}

#[tokio::test]
async fn the_parts_of_a_large_message_go_back_to_back_and_none_is_over_5_kb() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    // What compresses badly.
    let mut noise = 1_u64;
    let text: String = std::iter::repeat_with(|| {
        noise = noise
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        char::from(33 + u8::try_from((noise >> 33) % 90).unwrap()).to_string()
    })
    .take(20_000)
    .collect();
    send(&page, "broadcast", json!(text)).await;
    send(&page, "broadcast", json!("small")).await;
    in_time(&server, "all parts", || {
        platform
            .messages("42")
            .last()
            .is_some_and(|m| m.contains("small"))
    })
    .await;
    let messages = platform.messages("42");
    let (last, parts) = messages.split_last().unwrap();
    assert!(last.contains("small") && parts.len() > 2);
    for (n, part) in parts.iter().enumerate() {
        assert!(part.starts_with(&format!("<{n},{}>", parts.len())), "{n}");
    }
    platform.assert_content();
}

#[tokio::test]
async fn under_a_flood_the_limit_holds_broadcasts_keep_their_order_and_the_last_state_arrives() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    for n in 0..120 {
        send(&page, "broadcast", json!(n)).await;
        let state = json!({ "n": n });
        page.post("/v1/e/channel_state", &state).await.ok();
        page.post("/v1/e/json_store?id=k", &state).await.ok();
    }
    for count in [40, 60, 80, 100] {
        in_time(&server, "broadcasts", || {
            platform.data("42", "e").len() >= count
        })
        .await;
    }
    let last = json!({ "n": 119 });
    in_time(&server, "everything", || {
        let broadcasts = platform.data("42", "e").len();
        let states = platform.data("42", "channel_state_update");
        let values = platform.data("42", "json_store_update:k");
        let values_end = values.last().is_some_and(|data| data["value"] == last);
        broadcasts == 120 && states.last() == Some(&last) && values_end
    })
    .await;
    assert_eq!(platform.data("42", "e"), numbers(0..120));
    let states = platform.data("42", "channel_state_update").len();
    let values = platform.data("42", "json_store_update:k").len();
    assert!(states < 60 && values < 60, "{states} {values}");
    assert_eq!(platform.answered(429), 0);
    platform.assert_content();
}

#[tokio::test]
async fn channels_do_not_wait_for_each_other() {
    let (server, platform) = start().await;
    let busy = server.production_page("broadcaster", "42");
    for n in 0..60 {
        send(&busy, "broadcast", json!(n)).await;
    }
    for channel in 0..50 {
        let channel = format!("c{channel}");
        let page = server.production_page("broadcaster", &channel);
        send(&page, "broadcast", json!(1)).await;
        taken(&platform, &channel, 1).await;
    }
    assert!(platform.messages("42").len() < 60);
    platform.assert_content();
}

#[tokio::test]
async fn what_the_platform_says_of_the_limit_is_believed() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    // Others send for this channel too: the stand-in takes nothing more until its reset.
    platform.trouble([Trouble::Status(429)]);
    send(&page, "broadcast", json!(1)).await;
    eventually("a refusal", || async { platform.answered(429) == 1 }).await;
    server.advance_ms(999);
    send(&page, "broadcast", json!(2)).await;
    assert_eq!(platform.messages("42").len(), 0);
    in_time(&server, "both", || {
        platform.data("42", "e") == numbers(1..3)
    })
    .await;
    platform.assert_content();
}

#[tokio::test]
async fn a_drain_sends_what_waits_and_gives_the_lease_back() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    for n in 0..15 {
        send(&page, "broadcast", json!(n)).await;
    }
    let store = server.store.clone();
    let outcome = server.shut_down().await;
    assert_eq!(outcome, crowdlink_server::shutdown::Outcome::Drained);
    assert_eq!(platform.data("42", "e"), numbers(0..15));
    let prefix = format!("production/{EXTENSION}/lease/");
    let leases = crowdlink_store::Store::scan(&*store, &prefix, None, 10).await;
    assert_eq!(leases.unwrap(), []);
    platform.assert_content();
}
