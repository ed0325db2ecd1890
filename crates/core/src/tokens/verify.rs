//! Who is calling: an Authorization header becomes a [`Caller`], or a refusal.

use std::sync::Arc;

use crowdlink_protocol::{Claims, ClientId, Stage};
use quick_cache::sync::Cache;

use super::header::{is_bearer, parse_authorization};
use super::jws::Parts;
use crate::caller::{Caller, Revocable};
use crate::core::Core;
use crate::error::{Error, TokenFault};
use crate::pairing::{GrantStatus, read_grant};
use crate::registry::{Extension, Registry};
use crate::secret::sha256;

/// Most verdicts remembered.
const VERDICTS_MAX: usize = 100_000;

/// Latest time a claim may name, in seconds (the year 5138): a larger number is one of ms, and
/// would make a token that never ends.
pub(super) const TIME_S_MAX: i64 = 99_999_999_999;

/// A token that was found good, under one generation of the registry.
#[derive(Clone, Debug)]
struct Verdict {
    caller: Arc<Caller>,
    generation: u64,
    good_until_ms: i64,
}

/// Verdicts by stage and the hash of `<client id> <jwt>`, which is a whole header as pages send
/// it. So a token costs its signature once, and a header that came before is not even parsed.
#[derive(Debug)]
pub(crate) struct Verdicts(Cache<(Stage, [u8; 32]), Verdict>);

impl Verdicts {
    pub(crate) fn new() -> Self {
        Self(Cache::new(VERDICTS_MAX))
    }

    /// What was found, while everything that it rests on is as it was.
    fn find(&self, core: &Core, key: &(Stage, [u8; 32])) -> Option<Result<Arc<Caller>, Error>> {
        let verdict = self.0.get(key)?;
        let counts = verdict.generation == core.registry_generation()
            && core.world.now_ms() < verdict.good_until_ms;
        counts.then(|| unless_revoked(core, verdict.caller))
    }
}

fn unless_revoked(core: &Core, caller: Arc<Caller>) -> Result<Arc<Caller>, Error> {
    if is_revoked(core, &caller.revocable) {
        Err(Error::TokenInvalid(TokenFault::Revoked))
    } else {
        Ok(caller)
    }
}

/// What a good signature was made with, and until when that counts.
struct Signer {
    ring: bool,
    retire_at_ms: i64,
}

/// Verifies the header of a REST call on a stage, as it came.
pub async fn authorize(
    core: &Core,
    stage: Stage,
    header: Option<&(impl AsRef<[u8]> + ?Sized)>,
) -> Result<Arc<Caller>, Error> {
    let header = header.ok_or(Error::HeaderMalformed)?.as_ref();
    // With `Bearer` the token names the extension, and the header is no key of a verdict.
    let key = (!is_bearer(header)).then(|| (stage, sha256(header)));
    if let Some(found) = key.as_ref().and_then(|key| core.verdicts.find(core, key)) {
        return found;
    }
    let text = std::str::from_utf8(header)
        .ok()
        .filter(|text| text.is_ascii());
    let authorization = parse_authorization(text.ok_or(Error::HeaderMalformed)?)?;
    // Whatever has no key says `Bearer`, and names no extension.
    let Some((client_id, key)) = authorization.client_id.zip(key) else {
        let client_id = named_extension(core, authorization.jwt)?;
        return Box::pin(authorize_jwt(core, stage, &client_id, authorization.jwt)).await;
    };
    // Boxed, for most calls go without: room for it would be moved and cleared with each.
    Box::pin(authorize_new(core, &client_id, authorization.jwt, key)).await
}

/// Verifies a token of a known extension.
pub async fn authorize_jwt(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    jwt: &str,
) -> Result<Arc<Caller>, Error> {
    let header = [client_id.as_str(), " ", jwt].concat();
    let key = (stage, sha256(header.as_bytes()));
    if let Some(found) = core.verdicts.find(core, &key) {
        return found;
    }
    Box::pin(authorize_new(core, client_id, jwt, key)).await
}

/// Verifies a token that no verdict was found of, and remembers what comes out.
async fn authorize_new(
    core: &Core,
    client_id: &ClientId,
    jwt: &str,
    key: (Stage, [u8; 32]),
) -> Result<Arc<Caller>, Error> {
    let (stage, _) = key;
    let extension = core
        .extension(stage, client_id)
        .await?
        .ok_or(Error::ExtensionUnknown)?;
    let parts = Parts::split(jwt, core.limits.token_bytes_max).map_err(Error::TokenInvalid)?;
    let verdict = judge(core, &core.registry(), stage, extension, &parts).await?;
    core.verdicts.0.insert(key, verdict.clone());
    unless_revoked(core, verdict.caller)
}

/// Whether anything that credentials rest on was revoked.
pub fn is_revoked(core: &Core, revocable: &Revocable) -> bool {
    revocable.ids().any(|id| core.revocations.contains(id))
}

/// The extension that a bearer token names; believed only once the token is verified with it.
fn named_extension(core: &Core, jwt: &str) -> Result<ClientId, Error> {
    let claims = Parts::split(jwt, core.limits.token_bytes_max).and_then(|parts| parts.claims());
    let app_id = claims.map_err(Error::TokenInvalid)?.app_id;
    let app_id = app_id.ok_or(Error::TokenInvalid(TokenFault::Malformed))?;
    ClientId::new(&app_id).map_err(|_| Error::ExtensionUnknown)
}

async fn judge(
    core: &Core,
    registry: &Registry,
    stage: Stage,
    extension: Arc<Extension>,
    parts: &Parts<'_>,
) -> Result<Verdict, Error> {
    let now_ms = core.world.now_ms();
    let signer = signer(registry, &extension, parts, now_ms).map_err(Error::TokenInvalid)?;
    let mut claims = parts.claims().map_err(Error::TokenInvalid)?;
    let expires_at_ms = check_times(core, &claims, now_ms).map_err(Error::TokenInvalid)?;
    check_extension(&extension, &claims, signer.ring).map_err(Error::TokenInvalid)?;
    check_stage(stage, &extension, &claims, signer.ring)?;
    if !signer.ring {
        // Families and grants are ours; a foreign token cannot claim one.
        claims.fam = None;
        claims.grant = None;
    }
    if let Some(grant) = claims.grant.clone() {
        resolve_grant(core, stage, &extension.client_id, &grant, &mut claims).await?;
    }
    let caller = Caller::from_claims(stage, extension, claims, expires_at_ms)
        .ok_or(Error::TokenInvalid(TokenFault::Malformed))?;
    if caller.voter_identity().is_empty() && !caller.role.is_trusted() {
        return Err(Error::TokenInvalid(TokenFault::Malformed));
    }
    let skew_ms = core.lifetimes.clock_skew_ms;
    Ok(Verdict {
        caller: Arc::new(caller),
        generation: registry.generation,
        good_until_ms: expires_at_ms
            .saturating_add_unsigned(skew_ms)
            .min(signer.retire_at_ms),
    })
}

/// Finds the key that made the signature: the one of the ring that the header names, or, where it
/// names none, a current secret of the extension (`spec 1.2`).
fn signer(
    registry: &Registry,
    extension: &Extension,
    parts: &Parts<'_>,
    now_ms: i64,
) -> Result<Signer, TokenFault> {
    if let Some(kid) = parts.kid()? {
        let key = registry
            .ring
            .verifier(&kid, now_ms)
            .ok_or(TokenFault::Signature)?;
        if !key.secret.verifies(parts.signed, parts.signature) {
            return Err(TokenFault::Signature);
        }
        return Ok(Signer {
            ring: true,
            retire_at_ms: key.retire_at.unwrap_or(i64::MAX),
        });
    }
    let secret = extension
        .signer(parts.signed, parts.signature, now_ms)
        .ok_or(TokenFault::Signature)?;
    Ok(Signer {
        ring: false,
        retire_at_ms: secret.retire_at.unwrap_or(i64::MAX),
    })
}

/// Checks `exp`, `nbf` and `iat` with the tolerated skew; answers with the expiry (Unix ms).
pub(super) fn check_times(core: &Core, claims: &Claims, now_ms: i64) -> Result<i64, TokenFault> {
    let skew_ms = core.lifetimes.clock_skew_ms;
    let ms = |seconds: i64| seconds.saturating_mul(1_000);
    let exp = claims.exp.filter(|seconds| *seconds <= TIME_S_MAX);
    let expires_at_ms = ms(exp.ok_or(TokenFault::Malformed)?);
    if expires_at_ms.saturating_add_unsigned(skew_ms) <= now_ms {
        return Err(TokenFault::Expired);
    }
    let not_before = [claims.nbf, claims.iat];
    let latest = now_ms.saturating_add_unsigned(skew_ms);
    if not_before
        .into_iter()
        .flatten()
        .any(|seconds| ms(seconds) > latest)
    {
        return Err(TokenFault::NotYetValid);
    }
    Ok(expires_at_ms)
}

/// Our tokens must name the extension of the header; others may leave it out (`spec 1.2`).
/// A token without a role is none for this header: receipts, signed with the same secret and seen
/// by every viewer, have none (RFC 8725 3.12).
fn check_extension(extension: &Extension, claims: &Claims, ring: bool) -> Result<(), TokenFault> {
    match &claims.app_id {
        Some(app_id) if app_id == extension.client_id.as_str() => {}
        None if !ring => {}
        Some(_) | None => return Err(TokenFault::OtherExtension),
    }
    // A request for an exchange is spent at its own door, where its life is bounded.
    let other_kind = claims.other.contains_key("topic") || claims.identifier.is_some();
    if claims.role.is_none() || other_kind {
        return Err(TokenFault::Malformed);
    }
    Ok(())
}

/// The stage rule (`spec 1.2`), before any role is looked at.
fn check_stage(
    stage: Stage,
    extension: &Extension,
    claims: &Claims,
    ring: bool,
) -> Result<(), Error> {
    let fits = match (stage, claims.allowed_stage.as_deref()) {
        (Stage::Sandbox, Some("sandbox")) | (Stage::Production, None | Some("production")) => true,
        (Stage::Sandbox, None) => !ring && extension.sandbox_takes_platform_tokens,
        (Stage::Sandbox | Stage::Production, Some(_)) => false,
    };
    if fits {
        Ok(())
    } else {
        Err(Error::StageMismatch)
    }
}

/// Fills in the channel of a token of direction B, whose grant tells whose it is.
async fn resolve_grant(
    core: &Core,
    stage: Stage,
    client_id: &ClientId,
    grant: &str,
    claims: &mut Claims,
) -> Result<(), Error> {
    let fault = match read_grant(core, stage, client_id, grant).await? {
        // Its record goes when its PIN does.
        None => TokenFault::Expired,
        Some(GrantStatus::Pending) => TokenFault::Pending,
        Some(GrantStatus::Revoked) => TokenFault::Revoked,
        Some(GrantStatus::Active { channel_id }) => {
            claims.user_id = Some(channel_id.clone());
            claims.opaque_user_id = Some(format!("U{channel_id}"));
            claims.channel_id = Some(channel_id);
            return Ok(());
        }
    };
    Err(Error::TokenInvalid(fault))
}
