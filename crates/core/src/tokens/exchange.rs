//! A developer's own server gets a token (`spec 1.4`, exchange).

use crowdlink_protocol::{Claims, ClientId, Role, Stage};

use super::jws::Parts;
use super::mint::mint;
use super::verify::check_times;
use crate::core::Core;
use crate::error::{Error, TokenFault};

/// Longest life of the JWT that is exchanged, in seconds.
const REQUEST_LIFETIME_S_MAX: i64 = 5 * 60;

/// Exchanges a JWT, signed with an extension's secret, for a token on the stage that was asked.
///
/// Malformed is a 400; a bad signature or time a 401; a role that is not in the list, which admin
/// is not, a 403 (`spec 6.1`).
pub async fn exchange(core: &Core, stage: Stage, jwt: &str) -> Result<String, Error> {
    let malformed = |_| Error::invalid("body", "must be a JWT signed with the extension's secret");
    let parts = Parts::split(jwt, core.limits.token_bytes_max).map_err(malformed)?;
    let claims = parts
        .claims()
        .or_else(|fault| role_or(&parts, fault))
        .map_err(malformed)?;
    let identifier = required(claims.identifier.as_deref(), "identifier")?;
    let client_id = ClientId::new(identifier).map_err(|_| Error::ExtensionUnknown)?;
    let extension = core
        .extension(stage, &client_id)
        .await?
        .ok_or(Error::ExtensionUnknown)?;
    let now_ms = core.world.now_ms();
    let signed = parts.kid().map_err(Error::TokenInvalid)?.is_none()
        && extension
            .signer(parts.signed, parts.signature, now_ms)
            .is_some();
    if !signed {
        return Err(Error::TokenInvalid(TokenFault::Signature));
    }
    let iat = claims
        .iat
        .ok_or_else(|| Error::invalid("iat", "is required"))?;
    let exp = claims
        .exp
        .ok_or_else(|| Error::invalid("exp", "is required"))?;
    check_times(core, &claims, now_ms).map_err(Error::TokenInvalid)?;
    if exp.saturating_sub(iat) > REQUEST_LIFETIME_S_MAX {
        return Err(Error::TokenInvalid(TokenFault::Expired));
    }
    let role = match claims.role {
        Some(Role::Admin) => return Err(role_refused()),
        Some(Role::External) => Role::Backend,
        Some(role @ (Role::Backend | Role::Broadcaster | Role::Moderator | Role::Viewer)) => role,
        None if claims.other.contains_key(UNKNOWN_ROLE) => return Err(role_refused()),
        None => return Err(Error::invalid("role", "is required")),
    };
    let channel_id = required(claims.channel_id.as_deref(), "channel_id")?.to_owned();
    let user_id = required(claims.user_id.as_deref(), "user_id")?.to_owned();
    let claims = Claims {
        channel_id: Some(channel_id),
        opaque_user_id: Some(format!("U{user_id}")),
        user_id: Some(user_id),
        role: Some(role),
        ..Claims::default()
    };
    mint(core, stage, &client_id, core.lifetimes.exchange_ms, claims)
}

/// Marks claims whose role is no role at all.
const UNKNOWN_ROLE: &str = "\u{0}unknown role";

/// Claims whose only fault is a role nobody knows are read without it: that is a 403, not a 400.
fn role_or(parts: &Parts<'_>, fault: TokenFault) -> Result<Claims, TokenFault> {
    let mut claims = parts.claims_without("role").map_err(|_| fault)?;
    claims.other.insert(UNKNOWN_ROLE.to_owned(), true.into());
    Ok(claims)
}

/// What is said to other roles.
pub const EXCHANGE_ROLES: &str = "role must be backend, broadcaster, moderator or viewer";

fn role_refused() -> Error {
    Error::Forbidden(EXCHANGE_ROLES.into())
}

fn required<'a>(text: Option<&'a str>, field: &'static str) -> Result<&'a str, Error> {
    text.filter(|text| !text.is_empty())
        .ok_or_else(|| Error::invalid(field, "is required"))
}
