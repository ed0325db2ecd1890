//! Nothing that holds a secret prints it, and the signatures are those of the standard.

use std::io;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::tokens::{self, Expectation, authorize, diagnose, parse_authorization};
use crowdlink_core::{Secret, pairing};
use crowdlink_protocol::{Role, Stage};
use serde_json::json;

use crate::forge::{EXTENSION, Forge, NOW_S, id, with};

/// RFC 7515, appendix A.1.
const RFC_KEY: &str =
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
const RFC_JWS: &str = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.\
    eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.\
    dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

#[test]
fn the_signature_of_rfc_7515_a_1_is_made_and_verified() {
    let key = URL_SAFE_NO_PAD.decode(RFC_KEY).unwrap();
    let (signed, signature) = RFC_JWS.rsplit_once('.').unwrap();
    let made = jsonwebtoken::crypto::sign(
        signed.as_bytes(),
        &jsonwebtoken::EncodingKey::from_secret(&key),
        jsonwebtoken::Algorithm::HS256,
    );
    assert_eq!(made.unwrap(), signature);
    let verified = |signed: &str| {
        let key = jsonwebtoken::DecodingKey::from_secret(&key);
        let algorithm = jsonwebtoken::Algorithm::HS256;
        jsonwebtoken::crypto::verify(signature, signed.as_bytes(), &key, algorithm).unwrap()
    };
    assert!(verified(signed));
    assert!(!verified(&signed.replacen('e', "f", 1)));
}

#[tokio::test]
async fn the_verifier_knows_the_signature_of_rfc_7515_a_1() {
    let forge = Forge::new().await;
    forge.clock.set_wall_ms(1_300_819_380_000 - 1);
    let key = STANDARD.encode(URL_SAFE_NO_PAD.decode(RFC_KEY).unwrap());
    let request = AddExtension {
        client_id: id("joe"),
        owner: "900".to_owned(),
        name: None,
        secrets: vec![Secret::from_base64(&key).unwrap()],
        sandbox_takes_platform_tokens: false,
        auto_registered: false,
    };
    registry::add(forge.core.world(), request).await.unwrap();
    forge.core.reload().await.unwrap();
    let verdict = |jwt: String| {
        let core = forge.core.clone();
        async move {
            let header = format!("joe {jwt}");
            let refused = authorize(&core, Stage::Production, Some(&header)).await;
            refused.unwrap_err().info().into_owned()
        }
    };
    // It has no role, and is refused for that: its signature was good.
    assert_eq!(verdict(RFC_JWS.to_owned()).await, "malformed");
    assert_eq!(
        verdict(RFC_JWS.replace("XjE", "XjF").replace("EjXk", "EjXg")).await,
        "signature"
    );
}

/// Everything logged, down to traces.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Every way in which somebody could write key material or a token.
fn spellings(forge: &Forge, tokens: &[String]) -> Vec<String> {
    let keys = [&forge.secret, &forge.retired_secret, &forge.other_secret]
        .into_iter()
        .chain(forge.ring.iter().map(|(_, key)| key));
    let mut spellings: Vec<String> = tokens.to_vec();
    for key in keys {
        let hex: Vec<String> = key.iter().map(|byte| format!("{byte:02x}")).collect();
        let hex = hex.concat();
        spellings.extend([
            STANDARD.encode(key),
            URL_SAFE_NO_PAD.encode(key),
            hex.to_uppercase(),
            hex,
            format!("{key:?}"),
            format!("{:?}", String::from_utf8_lossy(key)),
        ]);
    }
    // The signature alone would do.
    let signatures = tokens.iter().filter_map(|token| token.rsplit('.').next());
    spellings.extend(signatures.map(str::to_owned).collect::<Vec<_>>());
    spellings
}

#[tokio::test]
async fn nothing_prints_a_secret_or_a_token() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    tracing::trace!("the log is heard");

    let forge = Forge::new().await;
    let core = &forge.core;
    let signed = forge.signed(&with(&json!({ "role": "broadcaster", "user_id": "1" })));
    let minted = forge
        .minted(Stage::Sandbox, EXTENSION, Role::Broadcaster)
        .await;
    let header = format!("{EXTENSION} {signed}");
    let caller = authorize(core, Stage::Production, Some(&header))
        .await
        .unwrap();
    let pin = pairing::create_pin(core, &caller).await.unwrap();
    let typed = (pin.as_str(), [127, 0, 0, 1].into());
    let client_id = id(EXTENSION);
    let paired = pairing::redeem_pin(core, Stage::Production, &client_id, typed, None);
    let paired = paired.await.unwrap();
    let refresh = paired.refresh.clone().unwrap();
    let waiting = pairing::create_game_pin(core, Stage::Sandbox, EXTENSION, typed.1)
        .await
        .unwrap();
    let rotated = registry::rotate_secret(core.world(), &id(EXTENSION), None)
        .await
        .unwrap();
    core.reload().await.unwrap();

    let mut shown = vec![
        format!("{core:?} {:?} {:?}", core.world(), core.stats()),
        format!("{:?}", core.extensions()),
        format!("{caller:?} {paired:?} {waiting:?} {rotated:?}"),
        format!("{:?}", parse_authorization(&header).unwrap()),
        format!(
            "{:?}",
            Secret::from_base64(&STANDARD.encode(&forge.secret)).unwrap()
        ),
    ];
    let hostile = [
        &header[..header.len() - 1],
        &format!("{header}x"),
        &signed,
        "",
    ];
    for text in hostile
        .into_iter()
        .chain([header.as_str(), minted.as_str()])
    {
        let outcome = authorize(core, Stage::Sandbox, Some(text)).await;
        if let Err(error) = &outcome {
            shown.push(format!("{error} {error:?} {}", error.info()));
        }
        let said = diagnose(Some(core), NOW_S * 1_000, text, &Expectation::default()).await;
        shown.push(format!("{said:?}"));
        shown.extend(said.findings.iter().map(ToString::to_string));
    }
    let wrong = tokens::refresh(core, Stage::Sandbox, &id(EXTENSION), &refresh, None).await;
    shown.push(format!("{:?}", wrong.map(|_| ()).unwrap_err()));
    shown.push(String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    let shown = shown.join("\n");
    assert!(shown.contains("the log is heard") && shown.contains(EXTENSION));

    let mut tokens = vec![
        signed,
        minted,
        refresh,
        paired.jwt,
        waiting.token,
        waiting.pin,
    ];
    tokens.push(rotated.secret.to_base64());
    for spelling in spellings(&forge, &tokens) {
        assert!(
            !shown.contains(&spelling),
            "{spelling} is shown in\n{shown}"
        );
    }
    // The search finds what is there.
    assert!(
        spellings(&forge, &tokens)
            .iter()
            .any(|text| *text == STANDARD.encode(&forge.secret))
    );
}
