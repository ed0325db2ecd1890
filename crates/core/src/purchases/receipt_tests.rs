//! Receipts as shipped pages and the platform write them.

use base64::engine::general_purpose::STANDARD as PADDED;
use crowdlink_protocol::ClientId;
use serde_json::json;

use super::*;
use crate::registry::ExtensionSecret;
use crate::secret::Secret;

/// What version 2.4.18 of the browser library posts in development.
const FROM_LIBRARY: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b3BpYyI6ImJpdHNfdHJhbnNhY3Rpb25fcmVjZWlwdCIsImV4cCI6MTcwMDAwMDAxMCwiZGF0YSI6eyJ0cmFuc2FjdGlvbklkIjoidGVzdDoxNzAwMDAwMDAwMTIzIiwidGltZSI6IjIwMjMtMTEtMTQgMjI6MTM6MjAuMTIzICswMDAwIFVUQyIsInVzZXJJZCI6Ijc3IiwicHJvZHVjdCI6eyJkb21haW5JZCI6InR3aXRjaC5leHQudGVzdC1leHRlbnNpb24iLCJza3UiOiJzd29yZCIsImRpc3BsYXlOYW1lIjoiQSBmaW5lIHN3b3JkIiwiY29zdCI6eyJhbW91bnQiOjUwLCJ0eXBlIjoiYml0cyJ9fX19.DK02m0j0HQMKsPeFIrAuVdFh5X8f0hknjEKHAjGt6B0";
/// The same for a product called "Épée": padded, in Latin-1, as `btoa` does it.
const FROM_LIBRARY_PADDED: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b3BpYyI6ImJpdHNfdHJhbnNhY3Rpb25fcmVjZWlwdCIsImV4cCI6MTcwMDAwMDAxMCwiZGF0YSI6eyJ0cmFuc2FjdGlvbklkIjoidGVzdDoxNzAwMDAwMDAwMTIzIiwidGltZSI6IjIwMjMtMTEtMTQgMjI6MTM6MjAuMTIzICswMDAwIFVUQyIsInVzZXJJZCI6Ijc3IiwicHJvZHVjdCI6eyJkb21haW5JZCI6InR3aXRjaC5leHQudGVzdC1leHRlbnNpb24iLCJza3UiOiJzd29yZCIsImRpc3BsYXlOYW1lIjoiyXDpZSIsImNvc3QiOnsiYW1vdW50Ijo1MCwidHlwZSI6ImJpdHMifX19fQ==.DK02m0j0HQMKsPeFIrAuVdFh5X8f0hknjEKHAjGt6B0";
const NOW_MS: i64 = 1_700_000_000_000;
const NEW: &str = "bmV3IHNlY3JldCwgdGhpcnR5LXR3byBieXRlcyBsb25nIQ==";
const OLD: &str = "b2xkIHNlY3JldCwgdGhpcnR5LXR3byBieXRlcyBsb25nIQ==";

fn extension() -> Extension {
    let secret = |text, retire_at| ExtensionSecret {
        id: String::new(),
        secret: Secret::from_base64(text).unwrap(),
        created_at: 0,
        retire_at,
    };
    Extension {
        client_id: ClientId::new("test-extension").unwrap(),
        owner: "900".to_owned(),
        name: String::new(),
        secrets: vec![secret(NEW, None), secret(OLD, Some(NOW_MS + 1_000))],
        sandbox_takes_platform_tokens: false,
        auto_registered: false,
    }
}

fn read(stage: Stage, receipt: &str, now_ms: i64) -> Result<Payload, Error> {
    open(stage, &extension(), receipt, now_ms)
}

fn payload() -> Value {
    json!({
        "exp": 1_700_000_010, "topic": "bits_transaction_receipt",
        "data": {
            "transactionId": "t?>1", "time": "2023-11-14T22:13:20Z", "userId": "77",
            "product": {
                "domainId": "twitch.ext.test-extension", "sku": "sword",
                "displayName": "A fine sword", "cost": { "amount": 50, "type": "bits" },
            },
        },
    })
}

/// As the platform signs: without padding, in the alphabet for URLs.
fn signed(payload: &Value, secret: &str) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","typ":"JWT"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload.to_string()));
    let signature = Secret::from_base64(secret).unwrap().sign(&signed).unwrap();
    format!("{signed}.{signature}")
}

#[test]
fn what_the_browser_library_makes_up_is_read_in_the_sandbox_alone() {
    for (receipt, name) in [
        (FROM_LIBRARY, "A fine sword"),
        (FROM_LIBRARY_PADDED, "Épée"),
    ] {
        let payload = read(Stage::Sandbox, receipt, NOW_MS).unwrap();
        assert_eq!(payload.exp, 1_700_000_010);
        assert_eq!(payload.data.user_id.as_deref(), Some("77"));
        let credit = payload.credit("77", Some("DevTestUser")).unwrap();
        assert_eq!(
            (credit.receipt_id.as_str(), credit.sku.as_str(), credit.bits),
            ("test:1700000000123", "sword", 50)
        );
        assert_eq!(
            (credit.display_name.as_str(), credit.at_ms),
            (name, 1_700_000_000_123)
        );
        assert_eq!(credit.name.as_deref(), Some("DevTestUser"));
        let refused = read(Stage::Production, receipt, NOW_MS).unwrap_err();
        let reason = "transactionReceipt must be signed with a secret of the extension";
        assert_eq!(refused.reason(), reason);
    }
}

#[test]
fn production_takes_what_any_current_secret_signed_in_every_spelling_of_base64() {
    for secret in [NEW, OLD] {
        let receipt = signed(&payload(), secret);
        let parts: Vec<Vec<u8>> = receipt
            .split('.')
            .map(|part| URL_SAFE_NO_PAD.decode(part).unwrap())
            .collect();
        let respelled = parts
            .iter()
            .map(|part| PADDED.encode(part))
            .collect::<Vec<_>>()
            .join(".");
        assert!(respelled.contains('=') && respelled != receipt);
        for receipt in [&receipt, &respelled] {
            let payload = read(Stage::Production, receipt, NOW_MS).unwrap();
            assert_eq!(payload.data.transaction_id, "t?>1");
        }
    }
    // A secret that retired does not count any more.
    let receipt = signed(&payload(), OLD);
    assert!(read(Stage::Production, &receipt, NOW_MS + 1_000).is_err());
    let other = signed(
        &payload(),
        "b3RoZXIgc2VjcmV0LCB0aGlydHktdHdvIGJ5dGVzIGxvbmc=",
    );
    assert!(read(Stage::Production, &other, NOW_MS).is_err());
}

#[test]
fn nothing_but_the_signature_is_let_pass_in_the_sandbox() {
    let with = |path: &str, value: Value| {
        let mut payload = payload();
        *payload.pointer_mut(path).unwrap() = value;
        signed(&payload, NEW)
    };
    let credited = |receipt: String| {
        read(Stage::Sandbox, &receipt, NOW_MS).and_then(|payload| payload.credit("77", None))
    };
    assert!(credited(signed(&payload(), NEW)).is_ok());
    for (path, value, what) in [
        ("/topic", json!("other"), "topic"),
        ("/exp", json!("1700000010"), "no receipt"),
        ("/data/transactionId", json!(""), "transactionId"),
        (
            "/data/transactionId",
            json!("x".repeat(97)),
            "transactionId",
        ),
        ("/data/transactionId", json!(null), "no receipt"),
        ("/data/time", json!("yesterday"), "time"),
        (
            "/data/product/domainId",
            json!("twitch.ext.other"),
            "another extension",
        ),
        (
            "/data/product/domainId",
            json!("test-extension"),
            "another extension",
        ),
        ("/data/product/sku", json!(""), "sku"),
        ("/data/product/cost/type", json!("coins"), "bits"),
        ("/data/product/cost/amount", json!(0), "amount"),
        ("/data/product/cost/amount", json!(-1), "amount"),
        ("/data/product/cost/amount", json!(1.5), "amount"),
        ("/data/product/cost/amount", json!("many"), "amount"),
        ("/data/product/cost/amount", json!(1_000_000_001), "amount"),
    ] {
        let refused = credited(with(path, value)).unwrap_err();
        assert_eq!(refused.status(), 400);
        assert!(
            refused.reason().contains(what),
            "{path}: {}",
            refused.reason()
        );
    }
    for amount in [json!("50"), json!(50.0)] {
        let credit = credited(with("/data/product/cost/amount", amount)).unwrap();
        assert_eq!(credit.bits, 50);
    }
    let signature = "DK02m0j0HQMKsPeFIrAuVdFh5X8f0hknjEKHAjGt6B0";
    let none = URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#);
    let body = URL_SAFE_NO_PAD.encode(payload().to_string());
    for (receipt, what) in [
        (format!("{none}.{body}.{signature}"), "HS256"),
        (format!("{body}.{signature}"), "JWT"),
        (format!("{none}.{body}.{signature}.x"), "JWT"),
        (format!("!.{body}.{signature}"), "base64"),
        ("transaction-receipt".to_owned(), "JWT"),
    ] {
        let refused = read(Stage::Sandbox, &receipt, NOW_MS).unwrap_err();
        assert!(
            refused.reason().contains(what),
            "{receipt}: {}",
            refused.reason()
        );
    }
}
