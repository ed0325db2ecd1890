//! What is registered here: extensions with their secrets, and the deployment's own key ring.
//!
//! Held whole in memory and re-read when its generation record changes, so that a change made by
//! the command line, or on another node, reaches a running server within two seconds.

mod change;
mod extension;
mod key_ring;

use std::collections::HashMap;
use std::sync::Arc;

use crowdlink_protocol::ClientId;
use crowdlink_store::{Commit, Expect};

pub use change::{AddExtension, RotatedSecret, add, remove, rotate_key, rotate_secret};
pub use extension::{Extension, ExtensionSecret};
pub(crate) use key_ring::KeyRing;

use crate::error::Error;
use crate::table::encode;
use crate::world::{CONFLICT_TRIES_MAX, World};

/// Where extensions stand; above stages, for an extension is one product in both.
const EXTENSIONS: &str = "registry/extension/";
/// Where the key ring stands.
const RING: &str = "registry/ring";
/// Its version changes with everything in the registry.
const GENERATION: &str = "registry/generation";
/// Most extensions of a deployment.
pub const EXTENSIONS_MAX: usize = 10_000;

/// Everything registered, as of one generation.
#[derive(Debug)]
pub(crate) struct Registry {
    pub(crate) generation: u64,
    pub(crate) extensions: HashMap<ClientId, Arc<Extension>>,
    pub(crate) ring: KeyRing,
}

impl Registry {
    /// Reads the registry, and makes its key ring first where there is none.
    pub(crate) async fn load(world: &World) -> Result<Self, Error> {
        for attempt in 1..=CONFLICT_TRIES_MAX {
            // The generation is read first: what changes after it makes it change again.
            let generation = Self::generation(world).await?;
            if let Some(record) = world.store.get(RING).await? {
                let ring = serde_json::from_slice(&record.value)?;
                let extensions = load_extensions(world).await?;
                return Ok(Self {
                    generation,
                    extensions,
                    ring,
                });
            }
            let ring = KeyRing::generate(&*world.random, world.now_ms());
            let commit = Commit::new()
                .check(RING, Expect::Absent)
                .put(RING, encode(&ring)?, None)
                .put(GENERATION, "{}", None);
            if world.try_commit(commit).await?.is_none() {
                world.pause_before_retry(attempt).await?;
            }
        }
        Err(Error::Internal("the key ring could not be made".into()))
    }

    /// The registry's generation now; 0 before anything was written.
    pub(crate) async fn generation(world: &World) -> Result<u64, Error> {
        Ok(world
            .store
            .get(GENERATION)
            .await?
            .map_or(0, |record| record.version))
    }
}

async fn load_extensions(world: &World) -> Result<HashMap<ClientId, Arc<Extension>>, Error> {
    let entries = world.store.scan(EXTENSIONS, None, EXTENSIONS_MAX).await?;
    let mut extensions = HashMap::with_capacity(entries.len());
    for entry in entries {
        let extension: Extension = serde_json::from_slice(&entry.record.value)?;
        extensions.insert(extension.client_id.clone(), Arc::new(extension));
    }
    Ok(extensions)
}
