//! `user_info`, `user_ids` (`spec 1.6`, `spec 3.1`).

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;

use super::RestEdge;
use super::answer::{Answer, json};
use super::authorized::{Address, Authorized};
use super::query::Parameters;

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
pub(super) struct Page {
    cursor: Option<String>,
}

pub(super) async fn user_ids(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(page): Parameters<Page>,
) -> Answer {
    json(&crowdlink_core::user_ids(&edge.core, &caller, page.cursor.as_deref()).await?)
}
