//! `user_info`, `user_ids` (`spec 1.6`, `spec 3.1`).

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;

use super::RestEdge;
use super::answer::{Answer, json};
use super::authorized::{Address, Authorized};
use super::openapi::schema::{array, boolean, integer, object, string};
use super::openapi::{Call, Routes, Who};
use super::query::Parameters;

/// Who calls, and who shares identity.
pub(super) fn routes() -> Routes {
    let info = object([
        ("ip_address", string()),
        ("registered", boolean()),
        ("visualization_id", string()),
        ("user_id?", string()),
        ("opaque_user_id?", string()),
        ("channel_id?", string()),
        ("role", string()),
        ("app_id", string()),
        ("stage", string()),
        ("expires_at", integer()),
        ("server_time", integer()),
    ]);
    let infos = Call::of(Who::Anyone, "Who the caller is, and what time it is here").answers(info);
    let user = object([("twitch_id", string())]);
    let ids = Call::of(
        Who::Trusted,
        "The users who share identity, at most 1,000 a page",
    )
    .query("cursor", string(), "`next` of the page before.")
    .answers(object([("next", string()), ("results", array(user))]));
    Routes::of("identity")
        .get("/v1/e/user_info", user_info, infos)
        .get("/v1/e/user_ids", user_ids, ids)
}

pub(super) async fn user_info(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Address(address): Address,
) -> Answer {
    let mut info = crowdlink_core::user_info(&edge.core, &caller, address);
    // Clients set their clocks by it: nothing but encoding may come after.
    info.server_time = edge.core.world().clock.now_ms();
    json(&info)
}

#[derive(Deserialize)]
struct Page {
    cursor: Option<String>,
}

async fn user_ids(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(page): Parameters<Page>,
) -> Answer {
    json(&crowdlink_core::user_ids(&edge.core, &caller, page.cursor.as_deref()).await?)
}
