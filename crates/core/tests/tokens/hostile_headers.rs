//! The outside of hostile tokens: algorithms, keys, signatures, encodings.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use crowdlink_core::Error;
use crowdlink_protocol::{Role, Stage};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::forge::{Forge, HS256, OTHER, claims, encode, sign, sign_as, sign_parts, with};
use crate::hostile::{GOOD, MALFORMED, OTHER_EXTENSION, Row, SIGNATURE, STAGE, on, row};

const TOKEN_BYTES_MAX: usize = 4_096;

pub(crate) async fn rows(forge: &Forge) -> Vec<Row> {
    let mut rows = algorithms(forge);
    rows.extend(fields(forge));
    rows.extend(keys(forge).await);
    rows.extend(signatures(forge));
    rows.extend(encodings(forge));
    rows.extend(authorization(forge).await);
    rows
}

fn algorithms(forge: &Forge) -> Vec<Row> {
    let payload = claims().to_string();
    let unsigned = |alg: &str| {
        let header = json!({ "alg": alg, "typ": "JWT" }).to_string();
        format!("{}.{}.", encode(header), encode(&payload))
    };
    let as_alg = |alg: &str, by: Algorithm| {
        let header = json!({ "alg": alg, "typ": "JWT" }).to_string();
        sign_as(by, &header, payload.as_bytes(), &forge.secret)
    };
    let raw = |header: &str| sign(header, &payload, &forge.secret);
    let hs256 = Algorithm::HS256;
    vec![
        row("signed as it ought to be", &forge.signed(&claims()), GOOD),
        row("alg none", &unsigned("none"), SIGNATURE),
        row("alg None", &unsigned("None"), SIGNATURE),
        row("alg nOnE", &unsigned("nOnE"), SIGNATURE),
        row(
            "alg none and a good signature",
            &as_alg("none", hs256),
            SIGNATURE,
        ),
        row("HS256 without a signature", &unsigned("HS256"), SIGNATURE),
        row(
            "HS384, signed so",
            &as_alg("HS384", Algorithm::HS384),
            SIGNATURE,
        ),
        row(
            "HS512, signed so",
            &as_alg("HS512", Algorithm::HS512),
            SIGNATURE,
        ),
        row(
            "HS256, signed as HS512",
            &as_alg("HS256", Algorithm::HS512),
            SIGNATURE,
        ),
        row(
            "RS256 with the secret as key",
            &as_alg("RS256", hs256),
            SIGNATURE,
        ),
        row(
            "ES256 with the secret as key",
            &as_alg("ES256", hs256),
            SIGNATURE,
        ),
        row(
            "PS256 with the secret as key",
            &as_alg("PS256", hs256),
            SIGNATURE,
        ),
        row(
            "EdDSA with the secret as key",
            &as_alg("EdDSA", hs256),
            SIGNATURE,
        ),
        row("alg in lower case", &as_alg("hs256", hs256), SIGNATURE),
        row("alg with a space", &as_alg("HS256 ", hs256), SIGNATURE),
        row("alg empty", &as_alg("", hs256), SIGNATURE),
        row("alg missing", &raw(r#"{"typ":"JWT"}"#), SIGNATURE),
        row("alg null", &raw(r#"{"alg":null}"#), SIGNATURE),
        row("alg a list", &raw(r#"{"alg":["HS256"]}"#), SIGNATURE),
        row(
            "alg twice",
            &raw(r#"{"alg":"none","alg":"HS256"}"#),
            MALFORMED,
        ),
        row(
            "alg escaped and twice",
            &raw(r#"{"al\u0067":"none","alg":"HS256"}"#),
            MALFORMED,
        ),
        row("header is a list", &raw("[]"), MALFORMED),
        row("header is empty", &raw(""), MALFORMED),
        row(
            "header with rubbish behind it",
            &raw(r#"{"alg":"HS256"} {}"#),
            MALFORMED,
        ),
    ]
}

fn fields(forge: &Forge) -> Vec<Row> {
    let payload = claims().to_string();
    let with_field = |name: &str, value: Value, key: &[u8]| {
        sign(
            &json!({ "alg": "HS256", name: value }).to_string(),
            &payload,
            key,
        )
    };
    let attacker = b"a key that the attacker has chosen";
    let jwk = json!({ "kty": "oct", "k": encode(attacker) });
    let url = json!("http://127.0.0.1/keys.json");
    let secret = &forge.secret;
    vec![
        row(
            "crit",
            &with_field("crit", json!(["exp"]), secret),
            MALFORMED,
        ),
        row(
            "crit, empty",
            &with_field("crit", json!([]), secret),
            MALFORMED,
        ),
        row("zip", &with_field("zip", json!("DEF"), secret), MALFORMED),
        row(
            "b64 false",
            &with_field("b64", json!(false), secret),
            MALFORMED,
        ),
        row(
            "enc",
            &with_field("enc", json!("A128GCM"), secret),
            MALFORMED,
        ),
        row(
            "jku of the attacker",
            &with_field("jku", url.clone(), attacker),
            SIGNATURE,
        ),
        row(
            "x5u of the attacker",
            &with_field("x5u", url, attacker),
            SIGNATURE,
        ),
        row(
            "jwk of the attacker",
            &with_field("jwk", jwk, attacker),
            SIGNATURE,
        ),
        row(
            "x5c of the attacker",
            &with_field("x5c", json!(["AA=="]), attacker),
            SIGNATURE,
        ),
        row(
            "typ of another kind is not looked at",
            &with_field("typ", json!("x"), secret),
            GOOD,
        ),
    ]
}

async fn keys(forge: &Forge) -> Vec<Row> {
    let ours = with(&json!({ "app_id": "ext", "allowed_stage": "sandbox" }));
    let payload = ours.to_string();
    let kid = |kid: Value, key: &[u8]| {
        sign(
            &json!({ "alg": "HS256", "kid": kid }).to_string(),
            &payload,
            key,
        )
    };
    let sandbox = |name, jwt: &str, refusal| on(Stage::Sandbox, name, jwt, refusal);
    let ((newest, ring_key), (retired, retired_key)) = (&forge.ring[0], &forge.ring[1]);
    let secret = &forge.secret;
    let attacker = b"a key that the attacker has chosen";
    let minted = forge.minted(Stage::Sandbox, "ext", Role::Viewer).await;
    let foreign = forge.minted(Stage::Sandbox, OTHER, Role::Viewer).await;
    vec![
        sandbox("minted here", &minted, GOOD),
        sandbox(
            "signed by the ring, with its kid",
            &kid(json!(newest), ring_key),
            GOOD,
        ),
        sandbox("minted for another extension", &foreign, OTHER_EXTENSION),
        sandbox("minted before a rotation", &forge.old_token, SIGNATURE),
        sandbox("kid unknown", &kid(json!("unknown"), secret), SIGNATURE),
        sandbox(
            "kid unknown, own key",
            &kid(json!("unknown"), attacker),
            SIGNATURE,
        ),
        sandbox("kid empty", &kid(json!(""), secret), SIGNATURE),
        sandbox("kid a number", &kid(json!(0), secret), SIGNATURE),
        sandbox("kid null", &kid(Value::Null, secret), SIGNATURE),
        sandbox("kid a list", &kid(json!([newest]), ring_key), SIGNATURE),
        sandbox(
            "kid a path",
            &kid(json!("../../../../dev/null"), b""),
            SIGNATURE,
        ),
        sandbox(
            "kid SQL",
            &kid(json!("x' UNION SELECT 'key"), b"key"),
            SIGNATURE,
        ),
        sandbox(
            "kid with NUL",
            &kid(json!(format!("{newest}\0")), ring_key),
            SIGNATURE,
        ),
        sandbox(
            "kid in other case",
            &kid(json!(newest.to_uppercase()), ring_key),
            SIGNATURE,
        ),
        sandbox(
            "kid of the ring, own key",
            &kid(json!(newest), attacker),
            SIGNATURE,
        ),
        sandbox(
            "kid of the ring, extension's secret",
            &kid(json!(newest), secret),
            SIGNATURE,
        ),
        sandbox(
            "kid of a retired key",
            &kid(json!(retired), retired_key),
            SIGNATURE,
        ),
        sandbox(
            "kid of the newest, retired key",
            &kid(json!(newest), retired_key),
            SIGNATURE,
        ),
        sandbox(
            "ring key without kid",
            &sign(HS256, &payload, ring_key),
            SIGNATURE,
        ),
    ]
}

fn signatures(forge: &Forge) -> Vec<Row> {
    let payload = claims().to_string();
    let by = |key: &[u8]| sign(HS256, &payload, key);
    let mut almost = forge.secret.clone();
    *almost.last_mut().unwrap() ^= 1;
    let good = by(&forge.secret);
    let (signed, signature) = good.rsplit_once('.').unwrap();
    let other_payload = encode(with(&json!({ "role": "admin" })).to_string());
    let (header, _) = signed.split_once('.').unwrap();
    // The last character of 32 bytes has two bits that mean nothing.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(signature.chars().last().unwrap()).unwrap();
    let bits = alphabet.chars().nth(last + 1).unwrap();
    let cut = &signature[..42];
    let text = STANDARD.encode(&forge.secret);
    vec![
        row(
            "another extension's secret",
            &by(&forge.other_secret),
            SIGNATURE,
        ),
        row("a retired secret", &by(&forge.retired_secret), SIGNATURE),
        row("a secret that differs in a bit", &by(&almost), SIGNATURE),
        row("a secret that is cut", &by(&forge.secret[..31]), SIGNATURE),
        row("the secret's base64 text", &by(text.as_bytes()), SIGNATURE),
        row("an empty secret", &by(b""), SIGNATURE),
        row("a short secret", &by(b"secret"), SIGNATURE),
        row("the client id as secret", &by(b"ext"), SIGNATURE),
        row(
            "another payload",
            &format!("{header}.{other_payload}.{signature}"),
            SIGNATURE,
        ),
        row(
            "signature cut by a character",
            &format!("{signed}.{cut}"),
            SIGNATURE,
        ),
        row(
            "signature with other spare bits",
            &format!("{signed}.{cut}{bits}"),
            SIGNATURE,
        ),
        row(
            "signature with padding",
            &format!("{signed}.{signature}="),
            SIGNATURE,
        ),
        row(
            "signature twice as long",
            &format!("{good}{signature}"),
            SIGNATURE,
        ),
    ]
}

fn encodings(forge: &Forge) -> Vec<Row> {
    let parts =
        |header: &str, payload: &str| sign_parts(Algorithm::HS256, header, payload, &forge.secret);
    let (header, payload) = (encode(HS256), encode(claims().to_string()));
    // In the plain alphabet `?` and `~` show as `/` and `+`.
    let odd = with(&json!({ "x": "???~~~???~~~???>>>" })).to_string();
    let odd = STANDARD.encode(odd);
    assert!(odd.contains(['+', '/']) && !odd.contains('='));
    let mut padded = claims().to_string();
    while padded.len().is_multiple_of(3) {
        padded.push(' ');
    }
    let padded = URL_SAFE.encode(padded);
    assert!(padded.ends_with('='));
    let signed = parts(&header, &payload);
    let (head, tail) = signed.split_at(signed.len() / 2);
    vec![
        row(
            "payload in the plain alphabet",
            &parts(&header, &odd),
            MALFORMED,
        ),
        row("payload with padding", &parts(&header, &padded), MALFORMED),
        row(
            "header with padding",
            &parts(&format!("{header}="), &payload),
            MALFORMED,
        ),
        row("payload empty", &parts(&header, ""), MALFORMED),
        row("header empty", &parts("", &payload), MALFORMED),
        row("all parts empty", "..", MALFORMED),
        row("one dot", &format!("{header}.{payload}"), MALFORMED),
        row("no dot", &header, MALFORMED),
        row("three dots", &format!("{signed}."), MALFORMED),
        row("four dots, as in JWE", "a.b.c.d.e", MALFORMED),
        row("a refresh token", &encode([7; 32]), MALFORMED),
        row(
            "a space in the token",
            &format!("{head} {tail}"),
            Some(Error::HeaderMalformed),
        ),
        row(
            "a line break in the token",
            &format!("{head}\n{tail}"),
            Some(Error::HeaderMalformed),
        ),
        row(
            "a line break behind it",
            &format!("{signed}\r\n "),
            Some(Error::HeaderMalformed),
        ),
        row("4,096 bytes", &sized(forge, TOKEN_BYTES_MAX), GOOD),
        row("4,097 bytes", &sized(forge, TOKEN_BYTES_MAX + 1), MALFORMED),
        row("64 KiB of dots", &".".repeat(65_536), MALFORMED),
    ]
}

/// A good token of exactly so many bytes, but for its length.
fn sized(forge: &Forge, bytes: usize) -> String {
    for header_pad in 0..4 {
        let header = json!({ "alg": "HS256", "typ": "x".repeat(header_pad) }).to_string();
        for pad in 2_800..3_000 {
            let claims = with(&json!({ "pad": "x".repeat(pad) })).to_string();
            let token = sign(&header, &claims, &forge.secret);
            if token.len() == bytes {
                return token;
            }
        }
    }
    panic!("no token has {bytes} bytes");
}

async fn authorization(forge: &Forge) -> Vec<Row> {
    let minted = forge.minted(Stage::Production, "ext", Role::Viewer).await;
    let jwt = forge.signed(&claims());
    let named = forge.signed(&with(&json!({ "app_id": "ext" })));
    let nobody = forge.signed(&with(&json!({ "app_id": "nobody" })));
    let header = |name, header: String, refusal| Row {
        name,
        stage: Stage::Production,
        header,
        refusal,
    };
    let malformed = Some(Error::HeaderMalformed);
    let unknown = Some(Error::ExtensionUnknown);
    vec![
        header("bearer, minted here", format!("Bearer {minted}"), GOOD),
        header(
            "bearer that names its extension",
            format!("bearer {named}"),
            GOOD,
        ),
        header("bearer that names none", format!("Bearer {jwt}"), MALFORMED),
        header(
            "bearer that names nobody",
            format!("Bearer {nobody}"),
            unknown.clone(),
        ),
        header(
            "unknown client id",
            format!("nobody {jwt}"),
            unknown.clone(),
        ),
        header(
            "client id in other case",
            format!("EXT {jwt}"),
            unknown.clone(),
        ),
        header("client id with a slash", format!("ext/ {jwt}"), unknown),
        header("empty", String::new(), malformed.clone()),
        header("no space", format!("ext{jwt}"), malformed.clone()),
        header("two spaces", format!("ext  {jwt}"), malformed.clone()),
        header("a space before", format!(" ext {jwt}"), malformed.clone()),
        header("a tab", format!("ext\t{jwt}"), malformed.clone()),
        header(
            "bearer and a client id",
            format!("Bearer ext {jwt}"),
            malformed.clone(),
        ),
        header(
            "two headers in one",
            format!("ext {jwt}, ext {jwt}"),
            malformed,
        ),
        on(
            Stage::Sandbox,
            "production's token in the sandbox",
            &minted,
            STAGE,
        ),
    ]
}
