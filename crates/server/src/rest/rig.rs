//! Receipts for the helper script's purchases (`spec 4.4`), sandbox only.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use crowdlink_core::Error;
use crowdlink_core::rig::{self, Product};
use crowdlink_protocol::Stage;
use serde::Deserialize;

use super::RestEdge;
use super::answer::{Answer, json};
use super::authorized::Authorized;
use super::body::Json;

/// The one route; production has none.
pub(super) fn routes(stage: Stage) -> Router<Arc<RestEdge>> {
    match stage {
        Stage::Sandbox => Router::new().route("/rig/receipt", post(receipt)),
        Stage::Production => Router::new(),
    }
}

/// A product as the platform's helper gives it to pages.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    sku: String,
    display_name: Option<String>,
    cost: Cost,
}

#[derive(Deserialize)]
struct Cost {
    amount: u64,
}

async fn receipt(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Json(body): Json,
) -> Answer {
    let body: Body = serde_json::from_value(body).map_err(|_| {
        let expected = "must be {sku, displayName?, cost: {amount}}, the amount a whole number";
        Error::invalid("body", expected)
    })?;
    let product = Product {
        sku: body.sku,
        display_name: body.display_name,
        bits: body.cost.amount,
    };
    json(&rig::receipt(&edge.core, &caller, &product)?)
}
