//! The verifier as it runs (spec 1.2), on a registry that stands still: the fuzzer writes whole
//! headers of requests, or JOSE headers and payloads that are then signed with the extension's
//! secret, so that it reaches what lies behind the signature.
#![no_main]

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crowdlink_core::registry::{AddExtension, add};
use crowdlink_core::tokens::{authorize, inspect};
use crowdlink_core::{Core, CoreOptions, LocalBus, Secret, SeededRandom, World};
use crowdlink_protocol::{ClientId, Role, Stage};
use crowdlink_store::{ManualClock, MemoryStore};
use futures::executor::block_on;
use jsonwebtoken::{Algorithm, EncodingKey};
use libfuzzer_sys::fuzz_target;

/// When it is (Unix s).
const NOW_S: i64 = 1_700_000_000;
const SKEW_S: i64 = 30;
const EXTENSION: &str = "x";
const SECRET: &[u8] = b"the secret of the fuzzed one....";

static CORE: LazyLock<Arc<Core>> = LazyLock::new(|| block_on(open()));

async fn open() -> Arc<Core> {
    let clock = ManualClock::new(NOW_S * 1_000);
    let world = World {
        store: MemoryStore::new(clock.clone()),
        clock,
        random: Arc::new(SeededRandom::from_seed(1)),
        bus: Arc::new(LocalBus::new()),
    };
    let core = Core::open(world, CoreOptions::default()).await.expect("core opens");
    let encoded = base64::engine::general_purpose::STANDARD.encode(SECRET);
    let request = AddExtension {
        client_id: ClientId::new(EXTENSION).expect("a client id"),
        owner: "900".to_owned(),
        name: None,
        secrets: vec![Secret::from_base64(&encoded).expect("a secret")],
        sandbox_takes_platform_tokens: false,
        auto_registered: false,
    };
    add(core.world(), request).await.expect("it is registered");
    core.reload().await.expect("the registry is read");
    core
}

fn sign(signed: &str) -> String {
    let key = EncodingKey::from_secret(SECRET);
    jsonwebtoken::crypto::sign(signed.as_bytes(), &key, Algorithm::HS256).expect("signs")
}

fuzz_target!(|input: (u8, Vec<u8>, Vec<u8>)| {
    let (how, first, second) = input;
    let jwt = match how % 4 {
        0 => String::from_utf8_lossy(&first).into_owned(),
        // The header is what the platform writes; only the payload is the fuzzer's.
        1 => {
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
            let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(&first));
            format!("{signed}.{}", sign(&signed))
        }
        2 => {
            let signed =
                format!("{}.{}", URL_SAFE_NO_PAD.encode(&first), URL_SAFE_NO_PAD.encode(&second));
            format!("{signed}.{}", sign(&signed))
        }
        // Parts as they stand: the encoding itself is the fuzzer's.
        _ => {
            let signed =
                format!("{}.{}", String::from_utf8_lossy(&first), String::from_utf8_lossy(&second));
            format!("{signed}.{}", sign(&signed))
        }
    };
    let said = inspect(&jwt, 4_096);
    for (stage, scheme) in [(Stage::Sandbox, EXTENSION), (Stage::Production, "Bearer")] {
        let header = format!("{scheme} {jwt}");
        let Ok(caller) = block_on(authorize(&CORE, stage, Some(&header))) else { continue };
        let said = said.as_ref().expect("what is accepted can be read");
        let claims = &said.claims;
        assert_ne!(how % 4, 0, "nobody signed it");
        assert_eq!((said.alg.as_str(), said.kid.as_deref()), ("HS256", None));
        assert!(claims.exp.is_some_and(|exp| exp.saturating_add(SKEW_S) > NOW_S));
        assert!([claims.iat, claims.nbf].into_iter().flatten().all(|at| at <= NOW_S + SKEW_S));
        assert_eq!(caller.revocable.fam, None);
        assert_eq!(caller.revocable.grant, None);
        let wanted = (stage == Stage::Sandbox).then_some("sandbox");
        let named = claims.allowed_stage.as_deref();
        assert!(named == wanted || named == Some(stage.as_str()));
        assert!(claims.app_id.as_deref().is_none_or(|app_id| app_id == EXTENSION));
        assert_ne!(caller.role, Role::External);
        assert!(caller.role.is_trusted() || caller.channel_id.is_some());
        assert!(caller.role.is_trusted() || !caller.voter_identity().is_empty());
    }
});
