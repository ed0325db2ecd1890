//! `authtoken`, `token` (`spec 1.4`, `spec 1.5`).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State;
use crowdlink_core::tokens::{self, AuthtokenRequest};
use crowdlink_core::{Error, TokenFault};
use crowdlink_protocol::{AuthtokenBody, Role, Token, Tokens, ids_of};
use serde::Deserialize;
use serde_json::Value;

use super::RestEdge;
use super::answer::{Answer, json};
use super::authorized::Address;
use super::body::{Json, Raw};
use super::openapi::schema::{Schema, any, array, either, number, object, string};
use super::openapi::{Call, Routes, Who};
use super::query::Parameters;

/// Tokens for tests, and tokens for those who have another.
pub(super) fn routes() -> Routes {
    let authtokens = Call::of(Who::Open, "Tokens for tests")
        .told("The sandbox alone has them. Several users: `tokens` in their order.")
        .query("role", string(), "The role, where the body names none.")
        .takes(object([
            ("app_id?", id()),
            ("extension_id?", id()),
            ("channel_id?", id()),
            ("user_id?", id()),
            ("user_ids?", either([id(), array(id())])),
            ("role?", string()),
            ("is_unlinked?", any()),
        ]))
        .answers(either([
            object([("token", string())]),
            object([("tokens", array(string()))]),
        ]))
        .misses(tokens::SANDBOX_ONLY)
        .refuses([Error::ExtensionNotFound]);
    let exchanges = Call::of(
        Who::Open,
        "A token for a JWT that an extension's secret signed",
    )
    .told("The JWT is the body, bare or as a JSON string.")
    .takes_text()
    .answers(object([("token", string())]))
    .refuses([
        Error::ExtensionUnknown,
        Error::TokenInvalid(TokenFault::Expired),
        Error::Forbidden(tokens::EXCHANGE_ROLES.into()),
    ]);
    Routes::of("identity")
        .post("/v1/e/authtoken", authtoken, authtokens)
        .post("/v1/e/token", exchange, exchanges)
}

/// An id, which may come as a number.
fn id() -> Schema {
    either([string(), number()])
}

#[derive(Deserialize)]
struct RoleQuery {
    role: Option<String>,
}

/// `POST authtoken`.
async fn authtoken(
    State(edge): State<Arc<RestEdge>>,
    Parameters(query): Parameters<RoleQuery>,
    Address(address): Address,
    Json(body): Json,
) -> Answer {
    let not_an_object = || Error::invalid("body", "must be a JSON object");
    if !body.is_object() {
        return Err(not_an_object().into());
    }
    let body: AuthtokenBody = serde_json::from_value(body).map_err(|_| not_an_object())?;
    let request = authtoken_request(&body, query.role.as_deref(), address)?;
    let several = request.user_ids.len() > 1;
    let mut tokens = tokens::authtoken(&edge.core, edge.stage, request).await?;
    if several {
        return json(&Tokens { tokens });
    }
    let token = tokens
        .pop()
        .ok_or_else(|| Error::Internal("no token was minted".to_owned()))?;
    json(&Token { token })
}

fn authtoken_request(
    body: &AuthtokenBody,
    role: Option<&str>,
    address: IpAddr,
) -> Result<AuthtokenRequest, Error> {
    let app_id = one(&body.app_id, "app_id")?;
    let extension_id = one(&body.extension_id, "extension_id")?;
    let mut user_ids: Vec<String> = one(&body.user_id, "user_id")?.into_iter().collect();
    let more = ids_of(&body.user_ids)
        .ok_or_else(|| Error::invalid("user_ids", "must be a list of ids, or ids with commas"))?;
    user_ids.extend(more);
    let role = match one(&body.role, "role")?.as_deref().or(role) {
        None | Some("") => Role::Viewer,
        Some(text) => text.parse().map_err(|_| {
            Error::invalid(
                "role",
                "must be viewer, broadcaster, moderator, admin or backend",
            )
        })?,
    };
    Ok(AuthtokenRequest {
        client_id: app_id.or(extension_id),
        channel_id: one(&body.channel_id, "channel_id")?.unwrap_or_default(),
        user_ids,
        role,
        unlinked: body.is_unlinked == Value::Bool(true),
        address,
    })
}

/// A text that may come as a number; absent where empty.
fn one(value: &Value, field: &'static str) -> Result<Option<String>, Error> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
        Value::Number(number) => Ok(Some(number.to_string())),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
            Err(Error::invalid(field, "must be a string"))
        }
    }
}

/// `POST token`: the JWT is the body, bare or as a JSON string.
async fn exchange(State(edge): State<Arc<RestEdge>>, Raw(body): Raw) -> Answer {
    let text = std::str::from_utf8(&body).map_err(|_| Error::invalid("body", "must be a JWT"))?;
    let text = text.trim();
    let jwt = serde_json::from_str::<String>(text).unwrap_or_else(|_| text.to_owned());
    let token = tokens::exchange(&edge.core, edge.stage, jwt.trim()).await?;
    json(&Token { token })
}
