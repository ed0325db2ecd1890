//! Sandbox test tokens (`spec 1.5`).

use std::net::IpAddr;

use crowdlink_protocol::{Claims, ClientId, Role, Stage};
use quick_cache::sync::Cache;
use serde_json::{Map, Value};

use super::mint::mint;
use crate::core::Core;
use crate::error::Error;
use crate::random;
use crate::secret::{hex, sha256};

/// Most users of one request.
const USERS_MAX: usize = 1_000;
/// Most askers remembered.
const ASKERS_MAX: usize = 100_000;
/// How long an asker is remembered.
const ASKER_MS: i64 = 60 * 60 * 1_000;

/// Who asked for which extension, for the library's renewal that leaves it out (`spec 4.6`). Kept
/// by a hash: what anybody may send without a token must not be what it costs to remember.
#[derive(Debug)]
pub(crate) struct Askers(Cache<[u8; 32], (ClientId, i64)>);

impl Askers {
    pub(crate) fn new() -> Self {
        Self(Cache::new(ASKERS_MAX))
    }
}

/// A request for test tokens, its shapes undone.
#[derive(Clone, Debug)]
pub struct AuthtokenRequest {
    /// The extension, where it is named.
    pub client_id: Option<String>,
    /// The channel.
    pub channel_id: String,
    /// The users, in the order asked; none for an anonymous viewer.
    pub user_ids: Vec<String>,
    /// The role.
    pub role: Role,
    /// Whether viewers keep their user ids from the extension (`spec 4.4`). Other roles have one.
    pub unlinked: bool,
    /// Who asks.
    pub address: IpAddr,
}

/// What production says.
pub const SANDBOX_ONLY: &str = "There are test tokens in the sandbox only";

/// Mints a token for each user asked for, or one anonymous token.
pub async fn authtoken(
    core: &Core,
    stage: Stage,
    request: AuthtokenRequest,
) -> Result<Vec<String>, Error> {
    if stage != Stage::Sandbox {
        return Err(Error::NotFound(SANDBOX_ONLY.into()));
    }
    if request.user_ids.len() > USERS_MAX {
        return Err(Error::invalid(
            "user_ids",
            format!("must be at most {USERS_MAX} ids"),
        ));
    }
    let client_id = extension_of(core, stage, &request).await?;
    if request.channel_id.is_empty() && !request.role.is_trusted() {
        return Err(Error::invalid("channel_id", "is required"));
    }
    let asker = asker_of(&request);
    core.askers
        .0
        .insert(asker, (client_id.clone(), core.world.now_ms()));
    let channel_id = match request.channel_id.as_str() {
        "" => "all",
        channel_id => channel_id,
    };
    let is_viewer = matches!(request.role, Role::Viewer | Role::Moderator);
    let token = |user_id: Option<&str>| {
        let anonymous = || format!("A{}", hex(&random::bytes::<10>(&*core.world.random)));
        let unlinked = request.unlinked && user_id.is_some() && is_viewer;
        let mut other = Map::new();
        if unlinked {
            other.insert("is_unlinked".to_owned(), Value::Bool(true));
        }
        let claims = Claims {
            channel_id: Some(channel_id.to_owned()),
            user_id: user_id.filter(|_| !unlinked).map(str::to_owned),
            opaque_user_id: Some(user_id.map_or_else(anonymous, |id| format!("U{id}"))),
            role: Some(request.role),
            other,
            ..Claims::default()
        };
        mint(core, stage, &client_id, core.lifetimes.authtoken_ms, claims)
    };
    if request.role == Role::Broadcaster {
        // A broadcaster is its channel's user, whoever was named.
        let count = request.user_ids.len().max(1);
        return (0..count).map(|_| token(Some(channel_id))).collect();
    }
    if request.user_ids.is_empty() {
        return Ok(vec![token(None)?]);
    }
    request
        .user_ids
        .iter()
        .map(|user_id| token(Some(user_id)))
        .collect()
}

fn asker_of(request: &AuthtokenRequest) -> [u8; 32] {
    let AuthtokenRequest {
        address,
        channel_id,
        user_ids,
        ..
    } = request;
    // Debug quotes, so that no part can run into another.
    sha256(format!("{address} {channel_id:?} {user_ids:?}").as_bytes())
}

/// The extension named; else the one this asker named within the hour; else the only one there is.
async fn extension_of(
    core: &Core,
    stage: Stage,
    request: &AuthtokenRequest,
) -> Result<ClientId, Error> {
    if let Some(text) = request.client_id.as_deref().filter(|text| !text.is_empty()) {
        let client_id = ClientId::new(text).map_err(|_| Error::ExtensionNotFound)?;
        let known = core.extension(stage, &client_id).await?;
        return known
            .map(|known| known.client_id.clone())
            .ok_or(Error::ExtensionNotFound);
    }
    let since_ms = core.world.now_ms().saturating_sub(ASKER_MS);
    let remembered = core
        .askers
        .0
        .get(&asker_of(request))
        .filter(|(_, at_ms)| *at_ms > since_ms);
    if let Some((client_id, _)) = remembered
        && core.extension(stage, &client_id).await?.is_some()
    {
        return Ok(client_id);
    }
    let registry = core.registry();
    let mut registered = registry
        .extensions
        .values()
        .filter(|extension| extension.is_on(stage));
    match (registered.next(), registered.next()) {
        (Some(only), None) => Ok(only.client_id.clone()),
        _ => Err(Error::ExtensionNotFound),
    }
}
