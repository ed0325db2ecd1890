//! Of several nodes one sends for a channel (`spec 4.5`, DESIGN 3).

use serde_json::json;

use crate::harness::{Platform, Server, Trouble, eventually};
use crate::platform::{in_time, numbers, send, start, taken};

async fn two_nodes() -> (Server, Server, Platform) {
    let (first, platform) = start().await;
    let second = first
        .start_node(|settings| platform.settings(settings))
        .await;
    (first, second, platform)
}

fn now_ms(server: &Server) -> u64 {
    crowdlink_store::Clock::monotonic_ms(&*server.clock)
}

#[tokio::test]
async fn what_is_sent_on_any_node_goes_out_once_and_in_order() {
    let (first, second, platform) = two_nodes().await;
    for n in 0..60 {
        let node = if n % 2 == 0 { &first } else { &second };
        for channel in ["42", "43", "44"] {
            let page = node.production_page("broadcaster", channel);
            send(&page, "broadcast", json!(n)).await;
        }
    }
    in_time(&first, "everything", || platform.taken().len() >= 180).await;
    // Long after each of them has looked whether the other did its work.
    let until_ms = now_ms(&first) + 60_000;
    in_time(&first, "a minute", || now_ms(&first) >= until_ms).await;
    for channel in ["42", "43", "44"] {
        assert_eq!(platform.data(channel, "e"), numbers(0..60));
    }
    platform.assert_content();
}

/// Two nodes of which the first has the lease of channel 42.
async fn first_sends() -> (Server, Server, Platform) {
    let (first, platform) = start().await;
    let page = first.production_page("broadcaster", "42");
    send(&page, "broadcast", json!(0)).await;
    taken(&platform, "42", 1).await;
    let second = first
        .start_node(|settings| platform.settings(settings))
        .await;
    (first, second, platform)
}

#[tokio::test]
async fn when_the_sender_dies_another_sends_what_it_had_not_sent() {
    let (first, second, platform) = first_sends().await;
    let page = second.production_page("broadcaster", "42");
    platform.always(Some(Trouble::Silence));
    send(&page, "broadcast", json!(1)).await;
    page.post("/v1/e/json_store?id=k", &json!({ "n": 1 }))
        .await
        .ok();
    eventually("a try", || async { platform.silent() == 1 }).await;
    first.kill().await;
    platform.always(None);
    send(&page, "broadcast", json!(2)).await;
    // Nobody knows yet that it is dead.
    second.advance_ms(29_000);
    assert_eq!(platform.messages("42").len(), 1);
    in_time(&second, "the rest", || platform.messages("42").len() >= 4).await;
    assert_eq!(platform.data("42", "e"), numbers(0..3));
    assert_eq!(platform.data("42", "json_store_update:k").len(), 1);
    platform.assert_content();
}

#[tokio::test]
async fn a_sender_that_is_drained_leaves_the_channel_to_another_at_once() {
    let (first, second, platform) = first_sends().await;
    let page = second.production_page("broadcaster", "42");
    send(&page, "broadcast", json!(1)).await;
    taken(&platform, "42", 2).await;
    // By more than the nodes' clocks may be apart: what is younger could come twice.
    first.advance_ms(2_000);
    let outcome = first.shut_down().await;
    assert_eq!(outcome, crowdlink_server::shutdown::Outcome::Drained);
    send(&page, "broadcast", json!(2)).await;
    // The second looks every 5 s whether the first is still there.
    let begun_ms = now_ms(&second);
    in_time(&second, "the rest", || platform.messages("42").len() >= 3).await;
    assert!(now_ms(&second) - begun_ms < 20_000);
    assert_eq!(platform.data("42", "e"), numbers(0..3));
    platform.assert_content();
}

#[tokio::test]
async fn the_limit_holds_across_a_change_of_the_sender() {
    let (first, second, platform) = first_sends().await;
    let page = second.production_page("broadcaster", "42");
    let count = 100;
    for n in 1..count {
        send(&page, "broadcast", json!(n)).await;
        first.advance_ms(300);
    }
    in_time(&first, "half of it", || platform.messages("42").len() > 50).await;
    first.kill().await;
    for until in [60, 70, 80, 90, 99] {
        in_time(&second, "the rest", || {
            platform.data("42", "e").contains(&json!(until))
        })
        .await;
    }
    // The dead one had not said of its last messages that they were sent: those came twice.
    let mut broadcasts = platform.data("42", "e");
    assert!(broadcasts.len() < count + 20, "{}", broadcasts.len());
    broadcasts.sort_by_key(serde_json::Value::as_u64);
    broadcasts.dedup();
    assert_eq!(broadcasts, numbers(0..count));
    assert_eq!(platform.answered(429), 0);
    platform.assert_content();
}
