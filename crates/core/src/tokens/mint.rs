//! Minting (`spec 1.2`, `spec 1.4`).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crowdlink_protocol::{Claims, ClientId, Role, Stage, ascii_json};
use serde_json::json;

use crate::caller::check_id;
use crate::core::Core;
use crate::error::Error;

/// Who minted it, for people who look inside.
const ISSUER: &str = "crowdlink";

/// Signs claims with the ring's newest key, after filling in issuer, times, stage, extension and
/// id. Ids that no caller may have are refused here: nobody gets a token that is never accepted.
pub(crate) fn mint(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    lifetime_ms: u64,
    claims: Claims,
) -> Result<String, Error> {
    check_ids(&claims)?;
    let now_ms = core.world.now_ms();
    let claims = Claims {
        iss: Some(ISSUER.to_owned()),
        iat: Some(now_ms.div_euclid(1_000)),
        exp: Some(
            now_ms
                .saturating_add_unsigned(lifetime_ms)
                .div_euclid(1_000),
        ),
        allowed_stage: (stage == Stage::Sandbox).then(|| stage.as_str().to_owned()),
        app_id: Some(client_id.to_string()),
        jti: Some(core.world.id()),
        ..claims
    };
    let registry = core.registry();
    let key = registry
        .ring
        .signer()
        .ok_or_else(|| Error::Internal("the key ring is empty".to_owned()))?;
    let header = ascii_json(&json!({ "alg": "HS256", "typ": "JWT", "kid": key.kid }))?;
    let payload = ascii_json(&claims)?;
    let mut token = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let signature = key
        .secret
        .sign(&token)
        .map_err(|error| Error::Internal(error.to_string()))?;
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

fn check_ids(claims: &Claims) -> Result<(), Error> {
    let ids = [
        ("channel_id", &claims.channel_id),
        ("user_id", &claims.user_id),
    ];
    ids.into_iter().try_for_each(|(field, id)| match id {
        Some(id) => check_id(field, id),
        None => Ok(()),
    })
}

/// An access token of a family: the game as its broadcaster.
pub(crate) fn access_token(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    channel_id: &str,
    fam: &str,
) -> Result<String, Error> {
    let claims = Claims {
        channel_id: Some(channel_id.to_owned()),
        user_id: Some(channel_id.to_owned()),
        opaque_user_id: Some(format!("U{channel_id}")),
        role: Some(Role::Broadcaster),
        fam: Some(fam.to_owned()),
        ..Claims::default()
    };
    mint(core, stage, client_id, core.lifetimes.access_ms, claims)
}

/// The token of direction B: a broadcaster's, whose channel is whatever its grant says.
pub(crate) fn pending_token(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    grant: &str,
) -> Result<String, Error> {
    let claims = Claims {
        role: Some(Role::Broadcaster),
        grant: Some(grant.to_owned()),
        ..Claims::default()
    };
    mint(core, stage, client_id, core.lifetimes.access_ms, claims)
}

/// A token that an operator asks for.
#[derive(Clone, Debug)]
pub struct MintRequest {
    /// The world it is for.
    pub stage: Stage,
    /// The extension.
    pub client_id: ClientId,
    /// The role.
    pub role: Role,
    /// The channel; none for all of them.
    pub channel_id: Option<String>,
    /// The user; for a broadcaster the channel's.
    pub user_id: Option<String>,
    /// How long it is valid.
    pub lifetime_ms: u64,
}

/// Mints a token for an operator, who sits at the machine and may do anything. No longer than an
/// access token lives, so that a revocation outlives it.
pub async fn mint_by_hand(core: &Core, request: MintRequest) -> Result<String, Error> {
    let MintRequest {
        stage,
        client_id,
        role,
        channel_id,
        user_id,
        lifetime_ms,
    } = request;
    core.extension(stage, &client_id)
        .await?
        .ok_or(Error::ExtensionNotFound)?;
    if lifetime_ms > core.lifetimes.access_ms {
        let expected = format!("must be at most {} s", core.lifetimes.access_ms / 1_000);
        return Err(Error::invalid("lifetime", expected));
    }
    if channel_id.is_none() && !role.is_trusted() {
        return Err(Error::invalid("channel", "is required for this role"));
    }
    let user_id = if role == Role::Broadcaster {
        channel_id.clone()
    } else {
        user_id
    };
    let opaque = match (&user_id, role.is_trusted()) {
        (Some(user_id), _) => Some(format!("U{user_id}")),
        (None, true) => None,
        (None, false) => Some(format!("A{}", core.world.id())),
    };
    let claims = Claims {
        channel_id: channel_id.or_else(|| Some("all".to_owned())),
        user_id,
        opaque_user_id: opaque,
        role: Some(role),
        ..Claims::default()
    };
    mint(core, stage, &client_id, lifetime_ms, claims)
}
