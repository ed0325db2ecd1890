//! The platform's PubSub when the platform, the network or our own store fail (`spec 4.5`).

use crowdlink_core::registry;
use crowdlink_protocol::{ClientId, Stage};
use http::Method;
use serde_json::json;

use crate::harness::{
    EXTENSION, Platform, SECRET, Server, Trouble, Viewer, claims, eventually, sign,
};
use crate::platform::{in_time, numbers, send, start, taken};

const FAILURES: [Trouble; 6] = [
    Trouble::Status(500),
    Trouble::Status(503),
    Trouble::Status(429),
    Trouble::Status(401),
    Trouble::Silence,
    Trouble::Status(408),
];

#[tokio::test]
async fn what_fails_for_a_while_is_tried_again_and_keeps_its_order() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    platform.trouble(FAILURES);
    for n in 0..5 {
        send(&page, "broadcast", json!(n)).await;
    }
    in_time(&server, "everything", || {
        platform.data("42", "e").len() >= 5
    })
    .await;
    assert!(platform.is_calm());
    assert_eq!(platform.data("42", "e"), numbers(0..5));
    platform.assert_content();
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_may_come_twice_and_never_out_of_order() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    platform.trouble([Trouble::TakenInSilence]);
    send(&page, "broadcast", json!(0)).await;
    send(&page, "broadcast", json!(1)).await;
    in_time(&server, "both", || {
        platform.data("42", "e").contains(&json!(1))
    })
    .await;
    assert_eq!(platform.data("42", "e"), [json!(0), json!(0), json!(1)]);
}

#[tokio::test]
async fn what_the_platform_never_takes_is_dropped_counted_and_holds_nothing_up() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    platform.trouble([400, 403, 404, 422].map(Trouble::Status));
    for n in 0..5 {
        send(&page, "broadcast", json!(n)).await;
    }
    taken(&platform, "42", 1).await;
    assert_eq!(platform.data("42", "e"), [json!(4)]);
    let figures = server.app.metrics.encode().unwrap();
    assert!(
        figures.contains("platform_messages_total{outcome=\"refused\"} 4"),
        "{figures}"
    );
    platform.assert_content();
}

#[tokio::test]
async fn secrets_rotate_under_load_and_nothing_is_lost() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    let client_id = ClientId::new(EXTENSION).unwrap();
    let mut known = vec![SECRET.to_owned()];
    for n in 0..40 {
        if n % 10 == 5 {
            let world = server.app.core.world();
            let rotated = registry::rotate_secret(world, &client_id, Some(1_000)).await;
            let new = rotated.unwrap().secret.to_base64();
            if n == 15 {
                // This time the platform forgets the old one before we know of the new one.
                known.clear();
            }
            known.push(new);
            let known: Vec<_> = known.iter().map(String::as_str).collect();
            platform.know(&known);
        }
        let data = json!({ "n": n });
        let core = &server.app.core;
        let newest = core.extensions()[0].secrets[0].secret.to_base64();
        let page = if n < 5 {
            page.clone()
        } else {
            let mut own = claims("broadcaster", "42");
            own["exp"] = json!(server.clock_ms() / 1_000 + 3_600);
            server
                .rest(Stage::Production)
                .with(EXTENSION, &sign(&own, &newest))
        };
        send(&page, "broadcast", data).await;
        server.advance_ms(300);
    }
    in_time(&server, "everything", || {
        platform.data("42", "e").len() >= 40
    })
    .await;
    let expected: Vec<_> = (0..40).map(|n| json!({ "n": n })).collect();
    assert_eq!(platform.data("42", "e"), expected);
    platform.assert_content();
}

#[tokio::test]
async fn a_dead_platform_slows_nobody_and_hears_the_last_state_when_it_is_back() {
    let (server, platform) = start().await;
    platform.always(Some(Trouble::Silence));
    let mut viewer = {
        let jwt = sign(&claims("viewer", "c0"), SECRET);
        Viewer::with(&server, Stage::Production, EXTENSION, &jwt).await
    };
    // More channels than messages may be on their way at once.
    for channel in 0..300 {
        let page = server.production_page("broadcaster", &format!("c{channel}"));
        send(&page, "broadcast", json!(channel)).await;
    }
    assert_eq!(viewer.told().await.data, json!(0));
    eventually("requests", || async { platform.silent() >= 256 }).await;
    let page = server.production_page("broadcaster", "c0");
    for n in 0..20 {
        page.post("/v1/e/json_store?id=k", &json!({ "n": n }))
            .await
            .ok();
    }
    assert_eq!(platform.silent(), 256);
    // Long enough for broadcasts to grow stale.
    server.advance_ms(121_000);
    platform.always(None);
    in_time(&server, "the last state", || {
        let values = platform.data("c0", "json_store_update:k");
        values.last().is_some_and(|data| data["value"]["n"] == 19)
    })
    .await;
    assert_eq!(platform.data("c0", "json_store_update:k").len(), 1);
    assert_eq!(platform.data("c0", "e"), numbers(0..0));
    platform.assert_content();
}

#[tokio::test]
async fn a_platform_that_is_not_there_holds_up_neither_the_drain_nor_anybody() {
    let platform = Platform::start().await;
    let server = Server::start_with(|settings| {
        platform.settings(settings);
        // Nobody listens on this port of the loopback interface.
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", nobody.local_addr().unwrap());
        settings.twitch.url = crowdlink_server::settings::ConnectionUrl::parse(&address).unwrap();
    })
    .await;
    let page = server.production_page("broadcaster", "42");
    send(&page, "broadcast", json!(1)).await;
    eventually("a failure", || async {
        let figures = server.app.metrics.encode().unwrap();
        figures.contains("platform_messages_total{outcome=\"failed\"} 1")
    })
    .await;
    let outcome = server.shut_down().await;
    assert_eq!(outcome, crowdlink_server::shutdown::Outcome::Drained);
}

#[tokio::test]
async fn while_the_store_is_down_nothing_goes_out_and_afterwards_everything_does() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    send(&page, "broadcast", json!(0)).await;
    taken(&platform, "42", 1).await;
    // The lease ends meanwhile; only its holder may send.
    server.store.set_down(true);
    server.advance_ms(31_000);
    send(&page, "broadcast", json!(1)).await;
    server.advance_ms(1_000);
    tokio::task::yield_now().await;
    assert_eq!(platform.messages("42").len(), 1);
    server.store.set_down(false);
    in_time(&server, "the rest", || {
        platform.data("42", "e") == numbers(0..2)
    })
    .await;
    platform.assert_content();
}

#[tokio::test]
async fn an_extension_that_is_removed_sends_no_more() {
    let (server, platform) = start().await;
    let page = server.production_page("broadcaster", "42");
    platform.always(Some(Trouble::Status(503)));
    send(&page, "broadcast", json!(1)).await;
    eventually("a failure", || async { platform.answered(503) > 0 }).await;
    let client_id = ClientId::new(EXTENSION).unwrap();
    registry::remove(server.app.core.world(), &client_id)
        .await
        .unwrap();
    in_time(&server, "a refusal", || {
        let figures = server.app.metrics.encode().unwrap();
        figures.contains("platform_messages_total{outcome=\"refused\"} 1")
    })
    .await;
    let answer = page.send(Method::GET, "/v1/e/channel_state", "").await;
    assert_ne!(answer.status, 200);
    assert_eq!(platform.messages("42").len(), 0);
}
