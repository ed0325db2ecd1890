//! Polls and votes (`spec 3.6`), through REST.

mod ballots;
mod bounds;
mod configs;
mod killed;
mod life;
mod logs;
mod modifiers;
mod places;
mod report;
mod stale;

use crowdlink_protocol::Stage;
use serde_json::{Value, json};

use crate::harness::{Answer, Http, Server, claims};

/// How long a poll is kept after its last vote.
const DAYS_7_MS: u64 = 7 * 24 * 60 * 60 * 1_000;

/// A server on which votes are not refused for coming too often.
async fn server() -> Server {
    Server::start_with(|settings| {
        settings.rates.votes_per_s_max = 100_000;
        settings.rates.votes_burst_max = 100_000;
        settings.rates.rest_requests_per_s_max = 100_000;
        settings.rates.rest_requests_burst_max = 100_000;
    })
    .await
}

fn token(role: &str, channel: &str) -> Value {
    let mut claims = claims(role, channel);
    claims["exp"] = json!(4_000_000_000_i64);
    claims["allowed_stage"] = json!("sandbox");
    claims
}

/// A viewer of channel 42 who shares their identity.
fn viewer(server: &Server, user: &str) -> Http {
    page(server, "viewer", user)
}

/// The same with a role.
fn page(server: &Server, role: &str, user: &str) -> Http {
    let mut claims = token(role, "42");
    claims["user_id"] = json!(user);
    claims["opaque_user_id"] = json!(format!("U{user}"));
    server.signed(Stage::Sandbox, &claims)
}

/// A viewer of channel 42 who does not.
fn shy(server: &Server, opaque: &str) -> Http {
    let mut claims = token("viewer", "42");
    claims["opaque_user_id"] = json!(opaque);
    server.signed(Stage::Sandbox, &claims)
}

/// Whoever runs channel 42.
fn broadcaster(server: &Server) -> Http {
    page(server, "broadcaster", "42")
}

fn vote_path(id: &str) -> String {
    format!("/v1/e/vote?id={id}")
}

fn config_path(id: &str) -> String {
    format!("/v1/e/vote_config?id={id}")
}

async fn vote(page: &Http, id: &str, value: i64) -> Answer {
    page.post(&vote_path(id), &json!({ "value": value })).await
}

async fn report(page: &Http, id: &str) -> Value {
    page.get(&vote_path(id)).await.ok()
}

async fn configure(page: &Http, id: &str, config: Value) -> Answer {
    let body = json!({ "id": id, "config": config });
    page.post("/v1/e/vote_config", &body).await
}

async fn weigh(page: &Http, id: &str, user: &str, add: i64) -> Answer {
    let path = format!("/v1/e/vote_modifier?id={id}");
    page.post(&path, &json!({ "user": user, "add": add })).await
}

async fn log(server: &Server, id: &str) -> Vec<Value> {
    let path = format!("/v1/e/vote_logs?channel_id=42&id={id}");
    let answer = page(server, "admin", "server").get(&path).await.ok();
    answer["result"].as_array().unwrap().clone()
}

/// Count, sum and the counters that are not zero.
fn counted(report: &Value) -> (i64, i64, Vec<(usize, i64)>) {
    let counters = report["specific"].as_array().unwrap().iter().enumerate();
    let counters = counters.map(|(value, count)| (value, count.as_i64().unwrap()));
    (
        report["count"].as_i64().unwrap(),
        report["sum"].as_i64().unwrap(),
        counters.filter(|(_, count)| *count != 0).collect(),
    )
}
