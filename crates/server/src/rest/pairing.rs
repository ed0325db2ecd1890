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
use super::openapi::schema::{array, boolean, integer, object, string};
use super::openapi::{Call, Routes, Who};
use super::query::Parameters;

/// Pairing in both directions.
pub(super) fn routes() -> Routes {
    in_extension_routes().merge(in_game_routes())
}

/// Direction A: the PIN is typed into the game.
fn in_extension_routes() -> Routes {
    const TOKEN: &str = "/v1/e/gamelink/token";
    const GRANTS: &str = "/v1/e/gamelink/grants";
    let mut routes = Routes::of("pairing");
    for path in ["/v1/e/gamelink/pin", TOKEN] {
        let call = Call::of(Who::Broadcaster, "A PIN to type into the game")
            .told("The body is ignored. `pin` and `token` are the same.")
            .answers(object([("pin", string()), ("token", string())]));
        routes = routes.post(path, create_pin, call);
    }
    let grant = object([
        ("id", string()),
        ("game_id", string()),
        ("paired_at", integer()),
        ("last_seen", integer()),
        ("connected", boolean()),
    ]);
    let reads = Call::of(Who::Broadcaster, "The games paired with the channel")
        .answers(object([("grants", array(grant))]));
    let ends_one = Call::of(Who::Broadcaster, "End the pairing of one game")
        .required("id", string(), "The pairing.")
        .misses("No such game is paired with this channel");
    let ends_all = Call::of(Who::Broadcaster, "End the pairing of all games");
    routes
        .delete(TOKEN, revoke_all, ends_all)
        .get(GRANTS, grants, reads)
        .delete(GRANTS, revoke_one, ends_one)
}

/// Direction B: the PIN is typed into the extension.
fn in_game_routes() -> Routes {
    let too_often = || Error::RateLimited {
        retry_after_ms: 1_000,
    };
    let mut routes = Routes::of("pairing");
    for path in ["/v1/e/pin", "/v1/e/unauthed/pin"] {
        let call = Call::of(
            Who::Open,
            "A PIN to type into the extension, and the game's token",
        )
        .told("The token answers 401 `pending` until the PIN was typed in.")
        .takes(object([("identifier", string())]))
        .answers(object([("token", string()), ("pin", string())]))
        .refuses([Error::ExtensionNotFound, too_often()]);
        routes = routes.post(path, create_game_pin, call);
    }
    let checked = object([
        ("identifier", string()),
        ("pin?", string()),
        ("jwt?", string()),
    ]);
    let checks = Call::of(Who::Open, "Whether a PIN or a token of a game is valid")
        .takes(checked)
        .refuses([Error::CredentialInvalid, too_often()]);
    let validates = Call::of(Who::Broadcaster, "Pair the game that shows a PIN")
        .takes(object([("pin", string())]))
        .refuses([Error::PinInvalid]);
    let exists = Call::of(Who::Broadcaster, "Whether a game was paired so")
        .answers(object([("exists", boolean())]));
    let revokes = Call::of(Who::Broadcaster, "End all that was paired so");
    routes
        .post("/v1/e/unauthed/validate_pin", check, checks)
        .post("/v1/e/validate_pin", validate_pin, validates)
        .get("/v1/e/pin_token_exists", pin_token_exists, exists)
        .delete("/v1/e/pin", revoke_game_pins, revokes)
}

/// `gamelink/pin`, `gamelink/token`: the body is ignored.
async fn create_pin(State(edge): State<Arc<RestEdge>>, Authorized(caller): Authorized) -> Answer {
    let pin = pairing::create_pin(&edge.core, &caller).await?;
    json(&PairingToken {
        token: pin.clone(),
        pin,
    })
}

/// `DELETE gamelink/token`.
async fn revoke_all(State(edge): State<Arc<RestEdge>>, Authorized(caller): Authorized) -> Answer {
    pairing::revoke_all(&edge.core, &caller).await?;
    Ok(done())
}

/// `GET gamelink/grants`.
async fn grants(State(edge): State<Arc<RestEdge>>, Authorized(caller): Authorized) -> Answer {
    json(&Grants {
        grants: pairing::grants(&edge.core, &caller).await?,
    })
}

#[derive(Deserialize)]
struct One {
    id: Option<String>,
}

/// `DELETE gamelink/grants?id=`.
async fn revoke_one(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
    Parameters(one): Parameters<One>,
) -> Answer {
    let id = one.id.ok_or_else(|| Error::invalid("id", "is required"))?;
    pairing::revoke_one(&edge.core, &caller, &id).await?;
    Ok(done())
}

/// `POST pin`, `POST unauthed/pin`.
async fn create_game_pin(
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
async fn validate_pin(
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
async fn check(
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
async fn pin_token_exists(
    State(edge): State<Arc<RestEdge>>,
    Authorized(caller): Authorized,
) -> Answer {
    json(&PinExists {
        exists: pairing::pin_token_exists(&edge.core, &caller).await?,
    })
}

/// `DELETE pin`.
async fn revoke_game_pins(
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
