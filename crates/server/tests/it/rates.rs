//! Rates of REST callers and of PINs (`spec 5`).

use crowdlink_protocol::Stage;
use serde_json::json;

use crate::harness::{Answer, EXTENSION, Http, SECRET, Server, claims};

fn slow_down(answer: &Answer) -> u64 {
    answer.refused(429, "Too many requests");
    answer.header("retry-after").unwrap().parse().unwrap()
}

async fn info(page: &Http) -> Answer {
    page.get("/v1/e/user_info").await
}

async fn open_pin(server: &Server, id: &str, address: &str) -> Answer {
    let http = server.sandbox().header("x-forwarded-for", address);
    http.post("/v1/e/pin", &json!({ "identifier": id })).await
}

async fn behind_a_proxy() -> Server {
    Server::start_with(|settings| {
        settings.proxy.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await
}

#[tokio::test]
async fn a_caller_has_200_calls_at_once_and_50_a_second() {
    let server = Server::start().await;
    let page = server.page("viewer", "42").await;
    for _ in 0..200 {
        info(&page).await.ok();
    }
    assert_eq!(slow_down(&info(&page).await), 1);
    server.advance_ms(19);
    slow_down(&info(&page).await);
    server.advance_ms(1);
    info(&page).await.ok();
    slow_down(&info(&page).await);
    server.advance_ms(1_000);
    for _ in 0..50 {
        info(&page).await.ok();
    }
    slow_down(&info(&page).await);
}

#[tokio::test]
async fn a_caller_is_a_user_of_an_extension_on_a_stage_whatever_the_token() {
    let server = Server::start().await;
    let page = server.page("viewer", "42").await;
    for _ in 0..200 {
        info(&page).await.ok();
    }
    // Another token of the same user, another channel: the same caller.
    slow_down(&info(&server.page("viewer", "42").await).await);
    slow_down(&info(&server.page("viewer", "43").await).await);
    let mut somebody = claims("viewer", "42");
    somebody["user_id"] = json!("78");
    somebody["allowed_stage"] = json!("sandbox");
    info(&server.signed(Stage::Sandbox, &somebody)).await.ok();
    let mut same = claims("viewer", "42");
    same["user_id"] = json!("77");
    info(&server.signed(Stage::Production, &same)).await.ok();
    // Open calls go on: the page needs `authtoken` to live.
    server.page("viewer", "42").await;
}

#[tokio::test]
async fn refused_tokens_do_not_use_up_anybodys_rate() {
    let server = Server::start().await;
    let mut expired = claims("viewer", "42");
    expired["exp"] = json!(1);
    expired["user_id"] = json!("77");
    let attacker = server.signed(Stage::Sandbox, &expired);
    for _ in 0..250 {
        assert_eq!(info(&attacker).await.status, 401);
    }
    info(&server.page("viewer", "42").await).await.ok();
}

#[tokio::test]
async fn a_channel_makes_ten_pins_a_minute() {
    let server = Server::start().await;
    let page = server.page("broadcaster", "42").await;
    let make = |page: &Http, path: &'static str| {
        let page = page.clone();
        async move { page.post(path, &json!({})).await }
    };
    for _ in 0..5 {
        make(&page, "/v1/e/gamelink/pin").await.ok();
        make(&page, "/v1/e/gamelink/token").await.ok();
    }
    assert_eq!(slow_down(&make(&page, "/v1/e/gamelink/pin").await), 6);
    let other = server.page("broadcaster", "43").await;
    make(&other, "/v1/e/gamelink/pin").await.ok();
    server.advance_ms(6_000);
    make(&page, "/v1/e/gamelink/token").await.ok();
    slow_down(&make(&page, "/v1/e/gamelink/token").await);
}

#[tokio::test]
async fn an_address_makes_ten_open_pins_a_minute() {
    let server = behind_a_proxy().await;
    for _ in 0..10 {
        open_pin(&server, EXTENSION, "192.0.2.1").await.ok();
    }
    assert_eq!(
        slow_down(&open_pin(&server, EXTENSION, "192.0.2.1").await),
        6
    );
    let aliased = server
        .sandbox()
        .header("x-forwarded-for", "192.0.2.1")
        .post("/v1/e/unauthed/pin", &json!({ "identifier": EXTENSION }))
        .await;
    slow_down(&aliased);
    open_pin(&server, EXTENSION, "192.0.2.2").await.ok();
    server.advance_ms(6_000);
    open_pin(&server, EXTENSION, "192.0.2.1").await.ok();

    for host in 0..10 {
        open_pin(&server, EXTENSION, &format!("2001:db8::{host}"))
            .await
            .ok();
    }
    slow_down(&open_pin(&server, EXTENSION, "2001:db8::ffff:1").await);
    open_pin(&server, EXTENSION, "2001:db8:0:1::1").await.ok();
}

#[tokio::test]
async fn an_extension_gets_120_open_pins_a_minute() {
    let server = behind_a_proxy().await;
    server.register("second", "901", &[SECRET]).await;
    for host in 0..12 {
        for _ in 0..10 {
            open_pin(&server, EXTENSION, &format!("192.0.2.{host}"))
                .await
                .ok();
        }
    }
    assert_eq!(
        slow_down(&open_pin(&server, EXTENSION, "192.0.2.99").await),
        1
    );
    open_pin(&server, "second", "192.0.2.100").await.ok();
    server.advance_ms(500);
    open_pin(&server, EXTENSION, "192.0.2.101").await.ok();
    slow_down(&open_pin(&server, EXTENSION, "192.0.2.102").await);
}
