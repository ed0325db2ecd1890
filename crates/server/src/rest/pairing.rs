//! Pairing (`spec 1.3`, `spec 6.1`).

use std::sync::Arc;

use axum::extract::State;
use crowdlink_core::Error;
use crowdlink_core::pairing::{self, Checked};
use crowdlink_protocol::{Grants, PairingToken, Pin, PinExists};
use serde::Deserialize;

use super::RestEdge;
use super::answer::{Answer, done, json};
use super::authorized::{Address, Authorized};
use super::body::{Json, text};
use super::query::Parameters;

/// `gamelink/pin`, `gamelink/token`: the body is ignored.
pub(super) async fn create_pin(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
) -> Answer {
    let pin = pairing::create_pin(&edge.core, &caller).await?;
    json(&PairingToken {
        token: pin.clone(),
        pin,
    })
}

/// `DELETE gamelink/token`.
pub(super) async fn revoke_all(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
) -> Answer {
    pairing::revoke_all(&edge.core, &caller).await?;
    Ok(done())
}

/// `GET gamelink/grants`.
pub(super) async fn grants(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
) -> Answer {
    json(&Grants {
        grants: pairing::grants(&edge.core, &caller).await?,
    })
}

#[derive(Deserialize)]
pub(super) struct One {
    id: Option<String>,
}

/// `DELETE gamelink/grants?id=`.
pub(super) async fn revoke_one(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(one): Parameters<One>,
) -> Answer {
    let id = one.id.ok_or_else(|| Error::invalid("id", "is required"))?;
    pairing::revoke_one(&edge.core, &caller, &id).await?;
    Ok(done())
}

/// `POST pin`, `POST unauthed/pin`.
pub(super) async fn create_game_pin(
    State(edge): State<Arc<RestEdge>>,
    Address(address): Address,
    Json(body): Json,
) -> Answer {
    let identifier = required(text(&body, "identifier")?, "identifier")?;
    let made = pairing::create_game_pin(&edge.core, edge.stage, identifier, address).await?;
    json(&Pin {
        token: made.token,
        pin: made.pin,
    })
}

/// `POST validate_pin`.
pub(super) async fn validate_pin(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Address(address): Address,
    Json(body): Json,
) -> Answer {
    let pin = required(text(&body, "pin")?, "pin")?;
    pairing::validate_pin(&edge.core, &caller, pin, address).await?;
    Ok(done())
}

/// `POST unauthed/validate_pin`.
pub(super) async fn check(
    State(edge): State<Arc<RestEdge>>,
    Address(address): Address,
    Json(body): Json,
) -> Answer {
    let identifier = required(text(&body, "identifier")?, "identifier")?;
    let checked = match (present(text(&body, "pin")?), present(text(&body, "jwt")?)) {
        (Some(pin), _) => Checked::Pin(pin),
        (None, Some(jwt)) => Checked::Jwt(jwt),
        (None, None) => return Err(Error::invalid("pin", "or jwt is required").into()),
    };
    pairing::check(&edge.core, edge.stage, identifier, checked, address).await?;
    Ok(done())
}

/// `GET pin_token_exists`.
pub(super) async fn pin_token_exists(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
) -> Answer {
    json(&PinExists {
        exists: pairing::pin_token_exists(&edge.core, &caller).await?,
    })
}

/// `DELETE pin`.
pub(super) async fn revoke_game_pins(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
) -> Answer {
    pairing::revoke_game_pins(&edge.core, &caller).await?;
    Ok(done())
}

fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

fn required<'a>(text: Option<&'a str>, field: &'static str) -> Result<&'a str, Error> {
    present(text).ok_or_else(|| Error::invalid(field, "is required"))
}
