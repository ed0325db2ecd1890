//! Changes to the registry: what the command line does.

use crowdlink_protocol::ClientId;
use crowdlink_store::{Commit, Expect};

use super::extension::{Extension, ExtensionSecret};
use super::key_ring::KeyRing;
use super::{EXTENSIONS, EXTENSIONS_MAX, GENERATION, RING};
use crate::error::Error;
use crate::keys;
use crate::random;
use crate::secret::{Secret, hex};
use crate::table::encode;
use crate::world::{CONFLICT_TRIES_MAX, World};

/// Most secrets of one extension at a time.
const SECRETS_MAX: usize = 16;

/// An extension to be registered.
#[derive(Clone, Debug)]
pub struct AddExtension {
    /// Its id.
    pub client_id: ClientId,
    /// User id of its owner.
    pub owner: String,
    /// What people call it; its id if not said.
    pub name: Option<String>,
    /// Its secrets, newest first; one is made if none is given.
    pub secrets: Vec<Secret>,
    /// See [`Extension::sandbox_takes_platform_tokens`].
    pub sandbox_takes_platform_tokens: bool,
    /// See [`Extension::auto_registered`].
    pub auto_registered: bool,
}

impl AddExtension {
    /// One of nobody, known by its id, with a secret that is made for it.
    pub const fn new(client_id: ClientId) -> Self {
        Self {
            client_id,
            owner: String::new(),
            name: None,
            secrets: Vec::new(),
            sandbox_takes_platform_tokens: false,
            auto_registered: false,
        }
    }
}

/// What a rotation made.
#[derive(Clone, Debug)]
pub struct RotatedSecret {
    /// The new secret, to be shown once.
    pub secret: Secret,
    /// When the older ones end (Unix ms), if they do.
    pub old_retire_at: Option<i64>,
}

fn key_of(client_id: &ClientId) -> String {
    format!("{EXTENSIONS}{}", keys::segment(client_id.as_str()))
}

fn extension_secret(world: &World, secret: Secret) -> ExtensionSecret {
    let id = hex(&random::bytes::<4>(&*world.random));
    ExtensionSecret {
        id,
        secret,
        created_at: world.now_ms(),
        retire_at: None,
    }
}

/// Registers an extension. One that a development server had registered by itself is taken over;
/// any other under the same id is a refusal.
pub async fn add(world: &World, request: AddExtension) -> Result<Extension, Error> {
    if request.secrets.len() > SECRETS_MAX {
        return Err(Error::invalid(
            "secret",
            format!("may be given {SECRETS_MAX} times at most"),
        ));
    }
    let mut secrets = request.secrets;
    if secrets.is_empty() {
        secrets.push(Secret::generate(&*world.random));
    }
    let extension = Extension {
        name: request
            .name
            .unwrap_or_else(|| request.client_id.to_string()),
        client_id: request.client_id,
        owner: request.owner,
        secrets: secrets
            .into_iter()
            .map(|secret| extension_secret(world, secret))
            .collect(),
        sandbox_takes_platform_tokens: request.sandbox_takes_platform_tokens,
        auto_registered: request.auto_registered,
    };
    let key = key_of(&extension.client_id);
    let known = world
        .store
        .scan(EXTENSIONS, None, EXTENSIONS_MAX)
        .await?
        .len();
    if known >= EXTENSIONS_MAX {
        return Err(Error::Forbidden(
            format!("{EXTENSIONS_MAX} extensions are registered").into(),
        ));
    }
    let expect = match world.store.get(&key).await? {
        None => Expect::Absent,
        Some(record) => {
            let present: Extension = serde_json::from_slice(&record.value)?;
            if !present.auto_registered || extension.auto_registered {
                return Err(Error::invalid("client id", "is registered already"));
            }
            Expect::Version(record.version)
        }
    };
    let commit = Commit::new()
        .check(&key, expect)
        .put(&key, encode(&extension)?, None)
        .put(GENERATION, "{}", None);
    match world.try_commit(commit).await? {
        Some(_) => Ok(extension),
        None => Err(Error::invalid(
            "client id",
            "was registered by somebody else just now",
        )),
    }
}

/// Removes an extension: its tokens are worth nothing from then on. Its data stays in the store, so
/// that adding it again undoes the removal: games stay paired, and tokens that have not expired
/// work again. To end those too, revoke them first.
pub async fn remove(world: &World, client_id: &ClientId) -> Result<(), Error> {
    let key = key_of(client_id);
    let commit = Commit::new()
        .check(&key, Expect::Any)
        .delete(&key)
        .put(GENERATION, "{}", None);
    world
        .try_commit(commit)
        .await?
        .map(|_| ())
        .ok_or(Error::ExtensionNotFound)
}

/// Changes an extension by `change`.
async fn update_with(
    world: &World,
    client_id: &ClientId,
    change: impl Fn(&mut Extension) -> Result<(), Error>,
) -> Result<Extension, Error> {
    let key = key_of(client_id);
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let record = world
            .store
            .get(&key)
            .await?
            .ok_or(Error::ExtensionNotFound)?;
        let mut extension: Extension = serde_json::from_slice(&record.value)?;
        change(&mut extension)?;
        let commit = Commit::new()
            .check(&key, Expect::Version(record.version))
            .put(&key, encode(&extension)?, None)
            .put(GENERATION, "{}", None);
        if world.try_commit(commit).await?.is_some() {
            return Ok(extension);
        }
        world.pause_before_retry(attempt).await?;
    }
    Err(Error::Internal("the extension kept changing".into()))
}

/// What to change of an extension; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct UpdateExtension {
    /// User id of its owner.
    pub owner: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// See [`Extension::sandbox_takes_platform_tokens`].
    pub sandbox_takes_platform_tokens: Option<bool>,
}

/// Changes what an extension is.
pub async fn update(
    world: &World,
    client_id: &ClientId,
    request: UpdateExtension,
) -> Result<Extension, Error> {
    update_with(world, client_id, |extension| {
        if let Some(owner) = &request.owner {
            extension.owner.clone_from(owner);
        }
        if let Some(name) = &request.name {
            extension.name.clone_from(name);
        }
        if let Some(takes) = request.sandbox_takes_platform_tokens {
            extension.sandbox_takes_platform_tokens = takes;
        }
        Ok(())
    })
    .await
}

/// Makes a new secret, the newest from now on. The older ones stay valid, or end after
/// `retire_old_after_ms`.
pub async fn rotate_secret(
    world: &World,
    client_id: &ClientId,
    retire_old_after_ms: Option<u64>,
) -> Result<RotatedSecret, Error> {
    let secret = Secret::generate(&*world.random);
    let now_ms = world.now_ms();
    let old_retire_at = retire_old_after_ms.map(|ms| now_ms.saturating_add_unsigned(ms));
    update_with(world, client_id, |extension| {
        extension.secrets.retain(|secret| secret.is_current(now_ms));
        if extension.secrets.len() >= SECRETS_MAX {
            return Err(Error::Forbidden(
                format!("{SECRETS_MAX} secrets are valid; retire old ones first").into(),
            ));
        }
        for old in &mut extension.secrets {
            if let Some(retire_at) = old_retire_at {
                old.retire_at = Some(old.retire_at.unwrap_or(i64::MAX).min(retire_at));
            }
        }
        extension
            .secrets
            .insert(0, extension_secret(world, secret.clone()));
        Ok(())
    })
    .await?;
    Ok(RotatedSecret {
        secret,
        old_retire_at,
    })
}

/// Puts a new key in front of the key ring; what the old ones signed stays valid until it expires.
pub async fn rotate_key(world: &World, overlap_ms: u64) -> Result<(), Error> {
    for attempt in 1..=CONFLICT_TRIES_MAX {
        let record = world
            .store
            .get(RING)
            .await?
            .ok_or_else(|| Error::NotFound("There is no key ring yet".into()))?;
        let mut ring: KeyRing = serde_json::from_slice(&record.value)?;
        ring.rotate(&*world.random, world.now_ms(), overlap_ms);
        let commit = Commit::new()
            .check(RING, Expect::Version(record.version))
            .put(RING, encode(&ring)?, None)
            .put(GENERATION, "{}", None);
        if world.try_commit(commit).await?.is_some() {
            return Ok(());
        }
        world.pause_before_retry(attempt).await?;
    }
    Err(Error::Internal("the key ring kept changing".into()))
}
