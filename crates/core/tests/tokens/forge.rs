//! A small deployment whose keys the tests hold, and tokens forged with them.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::tokens::{self, MintRequest};
use crowdlink_core::{Core, CoreOptions, LocalBus, Secret, SeededRandom, World};
use crowdlink_protocol::{ClientId, Role, Stage};
use crowdlink_store::{ManualClock, MemoryStore};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

/// When it is (Unix s).
pub(crate) const NOW_S: i64 = 1_700_000_000;
pub(crate) const EXTENSION: &str = "ext";
pub(crate) const OTHER: &str = "other";
/// The header that everybody writes.
pub(crate) const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

/// The deployment: two extensions, a retired secret, a retired ring key.
pub(crate) struct Forge {
    pub(crate) core: Arc<Core>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) secret: Vec<u8>,
    pub(crate) retired_secret: Vec<u8>,
    pub(crate) other_secret: Vec<u8>,
    /// Newest first, with their ids.
    pub(crate) ring: Vec<(String, Vec<u8>)>,
    /// Minted before the ring was rotated.
    pub(crate) old_token: String,
}

pub(crate) fn id(text: &str) -> ClientId {
    ClientId::new(text).unwrap()
}

impl Forge {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::new(NOW_S * 1_000);
        let store = MemoryStore::new(clock.clone());
        let world = World {
            store: store.clone(),
            clock: clock.clone(),
            random: Arc::new(SeededRandom::from_seed(7)),
            bus: Arc::new(LocalBus::new()),
        };
        let core = Core::open(world, CoreOptions::default()).await.unwrap();
        let mut made = Vec::new();
        for client_id in [EXTENSION, OTHER] {
            let request = AddExtension {
                client_id: id(client_id),
                owner: "900".to_owned(),
                name: Some(format!("The {client_id}")),
                secrets: Vec::new(),
                sandbox_takes_platform_tokens: false,
                auto_registered: false,
            };
            made.push(registry::add(core.world(), request).await.unwrap());
        }
        let bytes = |secret: &Secret| STANDARD.decode(secret.to_base64()).unwrap();
        let retired_secret = bytes(&made[0].secrets[0].secret);
        let other_secret = bytes(&made[1].secrets[0].secret);
        let rotated = registry::rotate_secret(core.world(), &id(EXTENSION), Some(0)).await;
        let secret = bytes(&rotated.unwrap().secret);
        core.reload().await.unwrap();
        let old_token = mint(&core, Stage::Sandbox, EXTENSION, Role::Viewer).await;
        registry::rotate_key(core.world(), 0).await.unwrap();
        core.reload().await.unwrap();
        let record = core
            .world()
            .store
            .get("registry/ring")
            .await
            .unwrap()
            .unwrap();
        let ring: Value = serde_json::from_slice(&record.value).unwrap();
        let key = |key: &Value| {
            let secret = STANDARD.decode(key["secret"].as_str().unwrap()).unwrap();
            (key["kid"].as_str().unwrap().to_owned(), secret)
        };
        Self {
            ring: ring["keys"].as_array().unwrap().iter().map(key).collect(),
            core,
            clock,
            store,
            secret,
            retired_secret,
            other_secret,
            old_token,
        }
    }

    /// A token minted here for a viewer in channel 1.
    pub(crate) async fn minted(&self, stage: Stage, client_id: &str, role: Role) -> String {
        mint(&self.core, stage, client_id, role).await
    }

    /// Signs any payload with the extension's secret, as it ought to be done.
    pub(crate) fn developer(&self, payload: &str) -> String {
        sign(HS256, payload, &self.secret)
    }

    /// The same, of claims.
    pub(crate) fn signed(&self, claims: &Value) -> String {
        self.developer(&claims.to_string())
    }

    /// Signs claims as the deployment does.
    pub(crate) fn ring_signed(&self, claims: &Value) -> String {
        let (kid, key) = &self.ring[0];
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": kid });
        sign(&header.to_string(), &claims.to_string(), key)
    }
}

async fn mint(core: &Core, stage: Stage, client_id: &str, role: Role) -> String {
    let request = MintRequest {
        stage,
        client_id: id(client_id),
        role,
        channel_id: Some("1".to_owned()),
        user_id: Some("77".to_owned()),
        lifetime_ms: 3_600_000,
    };
    tokens::mint_by_hand(core, request).await.unwrap()
}

/// What a platform token says: a viewer in channel 1, for an hour, in production.
pub(crate) fn claims() -> Value {
    json!({ "exp": NOW_S + 3_600, "opaque_user_id": "U77", "channel_id": "1", "role": "viewer" })
}

/// The same with claims changed or, where null, left out.
pub(crate) fn with(changes: &Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub(crate) fn encode(part: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

pub(crate) fn sign_as(algorithm: Algorithm, header: &str, payload: &[u8], key: &[u8]) -> String {
    sign_parts(algorithm, &encode(header), &encode(payload), key)
}

pub(crate) fn sign(header: &str, payload: &str, key: &[u8]) -> String {
    sign_as(Algorithm::HS256, header, payload.as_bytes(), key)
}

/// Signs parts as they stand.
pub(crate) fn sign_parts(algorithm: Algorithm, header: &str, payload: &str, key: &[u8]) -> String {
    let signed = format!("{header}.{payload}");
    let key = EncodingKey::from_secret(key);
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, algorithm).unwrap();
    format!("{signed}.{signature}")
}
