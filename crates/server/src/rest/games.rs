//! What viewers say to the game, and read of it (`spec 3.9`, `spec 3.10`).

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse;
use crowdlink_core::drops::Entitlement;
use crowdlink_core::purchases::Order;
use crowdlink_core::{Error, Refusal, datastream, drops, gateway, matchmaking, purchases};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde_json::Value;

use super::RestEdge;
use super::answer::{Answer, JSON, done, json};
use super::authorized::Authorized;
use super::body::{Json, text};
use super::document::Text;
use super::openapi::schema::{any_object, array, integer, object, shape, string};
use super::openapi::{Bounds, Call, Routes, Who};
use super::query::Parameters;
use super::state::Channel;

type Edge = State<Arc<RestEdge>>;

/// Datastream, matchmaking, gateway, drops, purchases and coins.
pub(super) fn routes(bounds: &Bounds) -> Routes {
    const MATCHMAKING: &str = "/v1/e/matchmaking";
    let streams = Call::of(Who::Anyone, "Send an object to the channel's game")
        .channel()
        .takes(any_object())
        .json_bytes_max(bounds.limits.datastream_bytes_max);
    let joins = Call::of(Who::Anyone, "Join the channel's matchmaking")
        .channel()
        .takes(any_object())
        .json_bytes_max(bounds.limits.matchmaking_bytes_max);
    let leaves = Call::of(Who::Anyone, "Leave the channel's matchmaking").channel();
    let reads = Call::of(Who::Anyone, "What the channel's game offers")
        .channel()
        .answers(shape("Gateway"));
    let drops = Call::of(Who::Trusted, "Write entitlements, all or none")
        .channel()
        .takes(array(shape("Entitlement")));
    let games = Routes::of("games")
        .post("/v1/e/datastream", stream, streams)
        .post(MATCHMAKING, join, joins)
        .delete(MATCHMAKING, leave, leaves)
        .get("/v1/e/gateway", read_gateway, reads)
        .post("/v1/e/drops", upsert_drops, drops);
    games.merge(coin_routes())
}

fn coin_routes() -> Routes {
    let credits = Call::of(Who::Anyone, "Turn a bits receipt into coins")
        .told("A transaction counts once, ever; a repeat answers 201 and does nothing.")
        .channel()
        .takes(object([
            ("transactionReceipt", string()),
            ("displayName?", string()),
        ]))
        .creates()
        .refuses([Error::Forbidden("the receipt is of another user".into())]);
    let reads = Call::of(Who::Anyone, "The caller's coins in the channel")
        .channel()
        .answers(object([("balance", integer())]));
    let buys = Call::of(Who::Anyone, "Buy a SKU or an action")
        .channel()
        .takes(object([
            ("sku", string()),
            ("price", integer()),
            ("additional?", any_object()),
        ]))
        .answers(object([
            ("transaction_id", string()),
            ("balance", integer()),
        ]))
        .misses("There is no such SKU")
        .refuses([
            Refusal::NotEnoughCoins.into(),
            Refusal::PriceChanged.into(),
            Refusal::SoldOut.into(),
            Refusal::NotAvailable.into(),
        ]);
    Routes::of("coins")
        .post("/v1/e/bits/transactions", credit, credits)
        .get("/v1/e/coins", balance, reads)
        .post("/v1/e/coins/purchase", buy, buys)
}

async fn stream(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Text(body): Text,
) -> Answer {
    datastream::send(&edge.core, &caller, query.channel_id.as_deref(), &body).await?;
    Ok(done())
}

async fn join(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Text(body): Text,
) -> Answer {
    matchmaking::join(&edge.core, &caller, query.channel_id.as_deref(), &body).await?;
    Ok(done())
}

async fn leave(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
) -> Answer {
    matchmaking::leave(&edge.core, &caller, query.channel_id.as_deref()).await?;
    Ok(done())
}

async fn read_gateway(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
) -> Answer {
    let view = gateway::read(&edge.core, &caller, query.channel_id.as_deref()).await?;
    Ok(([(CONTENT_TYPE, JSON)], view).into_response())
}

async fn upsert_drops(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Json(body): Json,
) -> Answer {
    // Who may not is told so before the shape of what they sent is.
    caller.require_trusted()?;
    let Value::Array(items) = body else {
        return Err(Error::invalid("body", "must be a list of entitlements").into());
    };
    let entitlement = |(index, item)| {
        serde_json::from_value(item).map_err(|error| {
            let why: String = serde_json::Error::to_string(&error)
                .chars()
                .take(200)
                .collect();
            Error::Document(format!("[{index}] is wrong: {why}"))
        })
    };
    let drops: Result<Vec<Entitlement>, Error> =
        items.into_iter().enumerate().map(entitlement).collect();
    drops::upsert(&edge.core, &caller, query.channel_id.as_deref(), drops?).await?;
    Ok(done())
}

async fn credit(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Json(body): Json,
) -> Answer {
    let receipt = text(&body, "transactionReceipt")?
        .ok_or_else(|| Error::invalid("transactionReceipt", "is required"))?;
    let name = text(&body, "displayName")?;
    let channel = query.channel_id.as_deref();
    purchases::credit(&edge.core, &caller, channel, receipt, name).await?;
    Ok((StatusCode::CREATED, done()).into_response())
}

#[derive(Serialize)]
struct Balance {
    balance: u64,
}

async fn balance(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
) -> Answer {
    let channel = query.channel_id.as_deref();
    let balance = purchases::balance(&edge.core, &caller, channel).await?;
    json(&Balance { balance })
}

#[derive(Serialize)]
struct Bought {
    transaction_id: String,
    balance: u64,
}

async fn buy(
    State(edge): Edge,
    Authorized(caller): Authorized,
    Parameters(query): Parameters<Channel>,
    Json(body): Json,
) -> Answer {
    let sku = text(&body, "sku")?.ok_or_else(|| Error::invalid("sku", "is required"))?;
    let price = match body.get("price") {
        None | Some(Value::Null) => Err(Error::invalid("price", "is required")),
        Some(price) => gateway::coins(price)
            .ok_or_else(|| Error::invalid("price", "must be a whole number of coins")),
    };
    let additional = match body.get("additional") {
        None | Some(Value::Null) => None,
        Some(additional @ Value::Object(_)) => Some(additional.to_string()),
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Err(Error::invalid("additional", "must be an object").into());
        }
    };
    let order = Order {
        sku,
        price: price?,
        additional: additional.as_deref(),
    };
    let channel = query.channel_id.as_deref();
    let bought = purchases::buy(&edge.core, &caller, channel, order).await?;
    json(&Bought {
        transaction_id: bought.transaction_id,
        balance: bought.balance,
    })
}
