//! The inside of hostile tokens: times, roles, channels, stages, kinds. All are signed as they
//! ought to be.

use crowdlink_protocol::Stage;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::forge::{EXTENSION, Forge, HS256, NOW_S, claims, sign_as, with};
use crate::hostile::{EARLY, EXPIRED, GOOD, MALFORMED, OTHER_EXTENSION, Row, STAGE, on, row};

/// Tolerated skew (`spec 1.2`).
const SKEW_S: i64 = 30;

pub(crate) fn rows(forge: &Forge) -> Vec<Row> {
    let mut rows = times(forge);
    rows.extend(shapes(forge));
    rows.extend(kinds(forge));
    rows.extend(stages(forge));
    rows.extend(people(forge));
    rows
}

fn times(forge: &Forge) -> Vec<Row> {
    let exp = |name, exp: Value, refusal| {
        row(name, &forge.signed(&with(&json!({ "exp": exp }))), refusal)
    };
    let raw = |name, number: &str, refusal| {
        let text = claims().to_string();
        let text = text.replacen(&(NOW_S + 3_600).to_string(), number, 1);
        assert!(text.contains(number));
        row(name, &forge.developer(&text), refusal)
    };
    let other = |name, claim: &str, at: Value, refusal| {
        row(name, &forge.signed(&with(&json!({ claim: at }))), refusal)
    };
    vec![
        exp("exp missing", Value::Null, MALFORMED),
        raw("exp null", "null", MALFORMED),
        exp("exp a string", json!("1700003600"), MALFORMED),
        exp("exp a float", json!(1_700_003_600.5), MALFORMED),
        raw("exp a whole float", "1700003600.0", MALFORMED),
        raw("exp with an exponent", "1e20", MALFORMED),
        raw("exp beyond floats", "1e999", MALFORMED),
        exp("exp a bool", json!(true), MALFORMED),
        exp("exp a list", json!([NOW_S + 60]), MALFORMED),
        raw("exp beyond 64 bits", "99999999999999999999", MALFORMED),
        exp("exp the largest number", json!(i64::MAX), MALFORMED),
        exp(
            "exp in milliseconds",
            json!((NOW_S + 60) * 1_000),
            MALFORMED,
        ),
        exp("exp in the year 5138", json!(99_999_999_999_i64), GOOD),
        exp("exp negative", json!(-1), EXPIRED),
        exp("exp the smallest number", json!(i64::MIN), EXPIRED),
        exp("exp zero", json!(0), EXPIRED),
        exp(
            "expired beyond the skew",
            json!(NOW_S - SKEW_S - 1),
            EXPIRED,
        ),
        exp("expired at the skew", json!(NOW_S - SKEW_S), EXPIRED),
        exp("expired within the skew", json!(NOW_S - SKEW_S + 1), GOOD),
        other("nbf at the skew", "nbf", json!(NOW_S + SKEW_S), GOOD),
        other(
            "nbf beyond the skew",
            "nbf",
            json!(NOW_S + SKEW_S + 1),
            EARLY,
        ),
        other("iat at the skew", "iat", json!(NOW_S + SKEW_S), GOOD),
        other(
            "iat beyond the skew",
            "iat",
            json!(NOW_S + SKEW_S + 1),
            EARLY,
        ),
        other("iat in milliseconds", "iat", json!(NOW_S * 1_000), EARLY),
        other("nbf the largest number", "nbf", json!(i64::MAX), EARLY),
        other("nbf a string", "nbf", json!("0"), MALFORMED),
        other("iat a float", "iat", json!(0.5), MALFORMED),
    ]
}

fn shapes(forge: &Forge) -> Vec<Row> {
    let whole = claims().to_string();
    let inside = whole.strip_suffix('}').unwrap();
    let more = |name, more: &str, refusal| {
        row(
            name,
            &forge.developer(&format!("{inside},{more}}}")),
            refusal,
        )
    };
    let payload = |name, payload: &str| row(name, &forge.developer(payload), MALFORMED);
    let bytes = |name, payload: &[u8]| {
        let jwt = sign_as(Algorithm::HS256, HS256, payload, &forge.secret);
        row(name, &jwt, MALFORMED)
    };
    let deep = format!("\"x\":{}{}", "[".repeat(1_000), "]".repeat(1_000));
    vec![
        more("a claim more", r#""is_unlinked":true"#, GOOD),
        more("role twice", r#""role":"admin""#, MALFORMED),
        more("exp twice", r#""exp":9999999999"#, MALFORMED),
        more("role twice, escaped", r#""\u0072ole":"admin""#, MALFORMED),
        more(
            "a key twice within",
            r#""pubsub_perms":{"send":1,"send":2}"#,
            MALFORMED,
        ),
        more("a key twice in a list", r#""x":[{"a":1,"a":2}]"#, MALFORMED),
        more("a thousand lists deep", &deep, MALFORMED),
        payload("payload a list", "[]"),
        payload("payload a string", "\"exp\""),
        payload("payload a number", "1"),
        payload("payload null", "null"),
        payload("payload cut", inside),
        payload("payload with rubbish behind it", &format!("{whole}x")),
        payload("payload twice", &format!("{whole}{whole}")),
        payload("payload with NUL behind it", &format!("{whole}\0")),
        payload("payload with a comment", &format!("{whole}//")),
        bytes(
            "payload with a byte order mark",
            &[b"\xef\xbb\xbf", whole.as_bytes()].concat(),
        ),
        bytes(
            "payload not UTF-8",
            &[inside.as_bytes(), b",\"x\":\"\xff\"}"].concat(),
        ),
        bytes(
            "payload in UTF-16",
            &whole
                .encode_utf16()
                .flat_map(u16::to_be_bytes)
                .collect::<Vec<_>>(),
        ),
    ]
}

fn kinds(forge: &Forge) -> Vec<Row> {
    let receipt = json!({
        "topic": "bits_transaction_receipt", "exp": NOW_S + 3_600,
        "data": { "transactionId": "t", "userId": "77", "product": { "sku": "s" } },
    });
    let mut with_role = receipt.clone();
    with_role["role"] = "broadcaster".into();
    with_role["channel_id"] = "1".into();
    with_role["user_id"] = "1".into();
    let request = json!({
        "identifier": EXTENSION, "channel_id": "1", "user_id": "5", "role": "backend",
        "iat": NOW_S, "exp": NOW_S + 300,
    });
    let ring = |changes: &Value| forge.ring_signed(&with(changes));
    vec![
        row("a purchase receipt", &forge.signed(&receipt), MALFORMED),
        row(
            "a purchase receipt with a role",
            &forge.signed(&with_role),
            MALFORMED,
        ),
        row(
            "a request for an exchange",
            &forge.signed(&request),
            MALFORMED,
        ),
        row(
            "app_id of another",
            &forge.signed(&with(&json!({ "app_id": "other" }))),
            OTHER_EXTENSION,
        ),
        row(
            "app_id empty",
            &forge.signed(&with(&json!({ "app_id": "" }))),
            OTHER_EXTENSION,
        ),
        row(
            "app_id a list",
            &forge.signed(&with(&json!({ "app_id": ["ext"] }))),
            MALFORMED,
        ),
        row("ours with app_id", &ring(&json!({ "app_id": "ext" })), GOOD),
        row("ours without app_id", &ring(&json!({})), OTHER_EXTENSION),
        row(
            "ours for another",
            &ring(&json!({ "app_id": "other" })),
            OTHER_EXTENSION,
        ),
        row(
            "ours with a grant that is gone",
            &ring(&json!({ "app_id": "ext", "grant": "gone", "role": "broadcaster" })),
            EXPIRED,
        ),
    ]
}

fn stages(forge: &Forge) -> Vec<Row> {
    let staged = |stage: Value| forge.signed(&with(&json!({ "allowed_stage": stage })));
    let ring = |changes: &Value| forge.ring_signed(&with(changes));
    let sandbox = |name, jwt: &str, refusal| on(Stage::Sandbox, name, jwt, refusal);
    vec![
        sandbox("sandbox in sandbox", &staged(json!("sandbox")), GOOD),
        row("sandbox in production", &staged(json!("sandbox")), STAGE),
        row("production by name", &staged(json!("production")), GOOD),
        sandbox("production in sandbox", &staged(json!("production")), STAGE),
        sandbox("no stage in sandbox", &forge.signed(&claims()), STAGE),
        sandbox("stage in other case", &staged(json!("Sandbox")), STAGE),
        row(
            "stage in other case, production",
            &staged(json!("PRODUCTION")),
            STAGE,
        ),
        sandbox("stage with a space", &staged(json!("sandbox ")), STAGE),
        row("stage empty", &staged(json!("")), STAGE),
        row("stage of another name", &staged(json!("staging")), STAGE),
        row("stage a bool", &staged(json!(false)), MALFORMED),
        sandbox("stage a list", &staged(json!(["sandbox"])), MALFORMED),
        row(
            "ours of the sandbox",
            &ring(&json!({ "app_id": "ext", "allowed_stage": "sandbox" })),
            STAGE,
        ),
        sandbox(
            "ours of production",
            &ring(&json!({ "app_id": "ext" })),
            STAGE,
        ),
    ]
}

fn people(forge: &Forge) -> Vec<Row> {
    let of = |name, changes: Value, refusal| row(name, &forge.signed(&with(&changes)), refusal);
    vec![
        of("role unknown", json!({ "role": "root" }), MALFORMED),
        of("role in other case", json!({ "role": "Admin" }), MALFORMED),
        of(
            "role a list",
            json!({ "role": ["viewer", "admin"] }),
            MALFORMED,
        ),
        of("role a number", json!({ "role": 5 }), MALFORMED),
        of("role empty", json!({ "role": "" }), MALFORMED),
        of("role missing", json!({ "role": null }), MALFORMED),
        of(
            "viewer without a channel",
            json!({ "channel_id": null }),
            MALFORMED,
        ),
        of(
            "viewer of an empty channel",
            json!({ "channel_id": "" }),
            MALFORMED,
        ),
        of(
            "viewer of all channels",
            json!({ "channel_id": "all" }),
            MALFORMED,
        ),
        of(
            "broadcaster of all channels",
            json!({ "role": "broadcaster", "channel_id": "all" }),
            MALFORMED,
        ),
        of(
            "backend of all channels",
            json!({ "role": "backend", "channel_id": "all" }),
            GOOD,
        ),
        of(
            "admin without a channel",
            json!({ "role": "admin", "channel_id": null }),
            GOOD,
        ),
        of("channel a number", json!({ "channel_id": 1 }), MALFORMED),
        of("nobody", json!({ "opaque_user_id": null }), MALFORMED),
        of(
            "nobody, in an empty text",
            json!({ "opaque_user_id": "" }),
            MALFORMED,
        ),
        of("user a number", json!({ "user_id": 77 }), MALFORMED),
        of(
            "user with a slash is only an id",
            json!({ "user_id": "../1/77" }),
            GOOD,
        ),
        of("user with NUL", json!({ "user_id": "77\u{0}" }), MALFORMED),
        of(
            "user with a line break",
            json!({ "user_id": "77\n" }),
            MALFORMED,
        ),
        of(
            "user of 128 bytes",
            json!({ "user_id": "7".repeat(128) }),
            GOOD,
        ),
        of(
            "user of 129 bytes",
            json!({ "user_id": "7".repeat(129) }),
            MALFORMED,
        ),
        of(
            "channel of 129 bytes",
            json!({ "channel_id": "1".repeat(129) }),
            MALFORMED,
        ),
        of(
            "opaque id of 130 bytes",
            json!({ "opaque_user_id": format!("U{}", "7".repeat(129)) }),
            MALFORMED,
        ),
        of(
            "token id with an escape",
            json!({ "jti": "\u{1b}[2J" }),
            MALFORMED,
        ),
    ]
}
