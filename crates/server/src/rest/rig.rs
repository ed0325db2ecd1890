//! Receipts for the helper script's purchases (`spec 4.4`), sandbox only.

use std::sync::Arc;

use axum::extract::State;
use crowdlink_core::Error;
use crowdlink_core::rig::{self, Product};
use crowdlink_protocol::Stage;
use serde::Deserialize;

use super::RestEdge;
use super::answer::{Answer, json};
use super::authorized::Authorized;
use super::body::Json;
use super::openapi::schema::{integer, object, string};
use super::openapi::{Call, Routes, Who};

/// The one route; production has none.
pub(super) fn routes(stage: Stage) -> Routes {
    let routes = Routes::of("rig");
    match stage {
        Stage::Sandbox => routes.post("/rig/receipt", receipt, call()),
        Stage::Production => routes,
    }
}

fn call() -> Call {
    Call::of(Who::Anyone, "A receipt of a purchase that nobody paid for")
        .told("Where the server was told to sign such receipts.")
        .takes(object([
            ("sku", string()),
            ("displayName?", string()),
            ("cost", object([("amount", integer())])),
        ]))
        .answers(object([
            ("transactionId", string()),
            ("transactionReceipt", string()),
        ]))
        .misses(rig::NOT_SIGNED)
        .misses(rig::NO_SECRET)
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
