//! Guessing PINs (`spec 1.3`, `spec 5`, `spec 6.1`), over REST.

use crowdlink_protocol::Stage;
use futures::future::join_all;
use serde_json::json;

use crate::harness::{Answer, EXTENSION, Http, SECRET, Server, claims, sign};

const PIN_INVALID: &str = "The provided PIN is invalid or expired";
const TOO_MANY: &str = "Too many requests";

async fn behind_a_proxy() -> Server {
    Server::start_with(|settings| {
        settings.proxy.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

fn at(page: &Http, address: &str) -> Http {
    page.header("x-forwarded-for", address)
}

async fn try_pin(page: &Http, pin: &str) -> Answer {
    page.post("/v1/e/validate_pin", &json!({ "pin": pin }))
        .await
}

async fn wrong(page: &Http) {
    try_pin(page, "AAAAAA").await.refused(400, PIN_INVALID);
}

fn locked(answer: &Answer) -> u64 {
    answer.refused(429, TOO_MANY);
    answer.header("retry-after").unwrap().parse().unwrap()
}

/// A PIN of a game of the test extension. Each comes from its own address.
async fn right_pin(server: &Server, number: u8) -> String {
    let open = at(&server.sandbox(), &format!("10.9.{number}.1"));
    let body = json!({ "identifier": EXTENSION });
    let made = open.post("/v1/e/pin", &body).await.ok();
    made["pin"].as_str().unwrap().to_owned()
}

/// 61 wrong PINs for the extension within a minute, from networks 1 to 13.
async fn attack(page: &Http) {
    for network in 1..=13 {
        let tries = if network == 13 { 1 } else { 5 };
        for _ in 0..tries {
            wrong(&at(page, &format!("198.51.{network}.7"))).await;
        }
    }
}

#[tokio::test]
async fn an_address_has_five_wrong_pins_a_minute() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    for second in 0..5 {
        assert_eq!(second * 1_000, server.clock_ms() - crate::harness::START_MS);
        wrong(&page).await;
        server.advance_ms(1_000);
    }
    let answer = try_pin(&page, "AAAAAA").await;
    assert_eq!(locked(&answer), 55);
    server.advance_ms(54_999);
    assert_eq!(locked(&try_pin(&page, "AAAAAA").await), 1);
    server.advance_ms(1);
    wrong(&page).await;
    assert_eq!(locked(&try_pin(&page, "AAAAAA").await), 1);
}

#[tokio::test]
async fn a_locked_address_cannot_use_right_pins_either_and_others_can() {
    let server = behind_a_proxy().await;
    let page = server.page("broadcaster", "42").await;
    let attacker = at(&page, "192.0.2.1");
    for _ in 0..5 {
        wrong(&attacker).await;
    }
    let pin = right_pin(&server, 1).await;
    locked(&try_pin(&attacker, &pin).await);
    try_pin(&at(&page, "192.0.2.2"), &pin).await.ok();
}

#[tokio::test]
async fn every_door_for_pins_counts_alike() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let open = "/v1/e/unauthed/validate_pin";
    let guess = json!({ "identifier": EXTENSION, "pin": "AAAAAA" });
    for _ in 0..3 {
        assert_eq!(server.sandbox().post(open, &guess).await.status, 401);
    }
    wrong(&page).await;
    wrong(&page).await;
    locked(&server.sandbox().post(open, &guess).await);
    let production = server.rest(Stage::Production);
    locked(&production.post(open, &guess).await);
    locked(&try_pin(&page, "AAAAAA").await);
    // What is no try at a PIN goes on.
    page.get("/v1/e/user_info").await.ok();
    page.pin().await;
}

#[tokio::test]
async fn an_ipv6_customer_is_one_address() {
    let server = behind_a_proxy().await;
    let page = server.page("broadcaster", "42").await;
    for host in 1..=5 {
        wrong(&at(&page, &format!("2001:db8:1:2:{host}::{host}"))).await;
    }
    locked(&try_pin(&at(&page, "2001:db8:1:2:ffff::1"), "AAAAAA").await);
    wrong(&at(&page, "2001:db8:1:3::1")).await;
}

#[tokio::test]
async fn a_header_of_an_untrusted_peer_gives_no_new_address() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    for host in 1..=5 {
        wrong(&at(&page, &format!("192.0.2.{host}"))).await;
    }
    locked(&try_pin(&at(&page, "192.0.2.99"), "AAAAAA").await);
}

#[tokio::test]
async fn what_a_caller_writes_before_the_proxy_gives_no_new_address() {
    let server = behind_a_proxy().await;
    let page = server.page("broadcaster", "42").await;
    for host in 1..=5 {
        wrong(&at(&page, &format!("6.6.6.{host}, 192.0.2.1"))).await;
    }
    locked(&try_pin(&at(&page, "6.6.6.99, 192.0.2.1"), "AAAAAA").await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guesses_at_the_same_time_gain_nothing() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let answers = join_all((0..50).map(|_| try_pin(&page, "AAAAAA"))).await;
    let tried = answers.iter().filter(|answer| answer.status == 400).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((tried, refused), (5, 45));
}

#[tokio::test]
async fn right_pins_do_not_count() {
    let server = behind_a_proxy().await;
    let page = server.page("broadcaster", "42").await;
    for number in 0..20 {
        let pin = right_pin(&server, number).await;
        try_pin(&page, &pin).await.ok();
    }
    for _ in 0..5 {
        wrong(&page).await;
    }
    locked(&try_pin(&page, "AAAAAA").await);
}

#[tokio::test]
async fn sixty_wrong_pins_for_an_extension_are_not_yet_an_attack() {
    let server = behind_a_proxy().await;
    let page = server.page("broadcaster", "42").await;
    for network in 1..=12 {
        for _ in 0..5 {
            wrong(&at(&page, &format!("198.51.{network}.7"))).await;
        }
    }
    // The 61st and what comes before it are judged as ever.
    let newcomer = at(&page, "203.0.113.1");
    wrong(&newcomer).await;
    assert_eq!(server.app.core.stats().pin_tightened, 0);
    // From here on it is one.
    let other = at(&page, "203.0.114.1");
    wrong(&other).await;
    locked(&try_pin(&other, "AAAAAA").await);
    assert!(server.app.core.stats().pin_tightened > 0);
    assert_eq!(server.app.core.stats().pin_failures, 62);
}

#[tokio::test]
async fn under_attack_every_network_has_one_wrong_pin_a_minute() {
    let server = behind_a_proxy().await;
    let page = server.page("broadcaster", "42").await;
    attack(&page).await;
    wrong(&at(&page, "203.0.113.1")).await;
    locked(&try_pin(&at(&page, "203.0.113.1"), "AAAAAA").await);
    locked(&try_pin(&at(&page, "203.0.113.200"), "AAAAAA").await);
    wrong(&at(&page, "203.0.114.1")).await;
    wrong(&at(&page, "2001:db8:1:1::1")).await;
    locked(&try_pin(&at(&page, "2001:db8:1:ffff::1"), "AAAAAA").await);
    wrong(&at(&page, "2001:db8:2::1")).await;
}

#[tokio::test]
async fn under_attack_right_pins_keep_working() {
    let server = behind_a_proxy().await;
    let page = server.page("broadcaster", "42").await;
    attack(&page).await;
    // Several from one network: only wrong ones count.
    for number in 0..5 {
        let pin = right_pin(&server, number).await;
        try_pin(&at(&page, "203.0.113.1"), &pin).await.ok();
    }
    let pin = right_pin(&server, 9).await;
    wrong(&at(&page, "203.0.113.1")).await;
    locked(&try_pin(&at(&page, "203.0.113.1"), &pin).await);
    try_pin(&at(&page, "203.0.114.1"), &pin).await.ok();
}

#[tokio::test]
async fn an_attack_on_one_extension_does_not_tighten_another_or_the_other_stage() {
    let server = behind_a_proxy().await;
    server.register("second", "901", &[SECRET]).await;
    let page = server.page("broadcaster", "42").await;
    attack(&page).await;
    let mut broadcaster = claims("broadcaster", "42");
    broadcaster["user_id"] = json!("42");
    let production = server.signed(Stage::Production, &broadcaster);
    let second = server
        .rest(Stage::Production)
        .with("second", &sign(&broadcaster, SECRET));
    for other in [production, second] {
        wrong(&at(&other, "203.0.113.1")).await;
        wrong(&at(&other, "203.0.113.1")).await;
    }
}

#[tokio::test]
async fn an_attack_is_over_a_minute_after_it_ended() {
    let server = behind_a_proxy().await;
    let page = server.page("broadcaster", "42").await;
    attack(&page).await;
    server.advance_ms(59_999);
    wrong(&at(&page, "203.0.113.1")).await;
    locked(&try_pin(&at(&page, "203.0.113.2"), "AAAAAA").await);
    server.advance_ms(1);
    wrong(&at(&page, "203.0.113.2")).await;
    wrong(&at(&page, "203.0.113.2")).await;
}

#[tokio::test]
async fn our_own_faults_do_not_count_as_guesses() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    server.store.set_down(true);
    for _ in 0..10 {
        assert_eq!(try_pin(&page, "AAAAAA").await.status, 500);
    }
    server.store.set_down(false);
    wrong(&page).await;
}
