//! What people are told of their tokens: a table of mistakes, each with its sentence.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crowdlink_core::pairing::{self, create_game_pin};
use crowdlink_core::registry::{self, AddExtension};
use crowdlink_core::tokens::{
    self, Diagnosis, Expectation, GrantFacts, Requires, Shown, Signer, Span, authorize, diagnose,
};
use crowdlink_protocol::{Role, Stage};
use serde_json::{Value, json};

use crate::forge::{EXTENSION, Forge, NOW_S, claims, encode, id, sign, with};

async fn say(forge: &Forge, text: &str, expected: &Expectation) -> Diagnosis {
    let now_ms = forge.core.world().clock.now_ms();
    diagnose(Some(&forge.core), now_ms, text, expected).await
}

/// The sentences about a text, for a call to production.
async fn sentences(forge: &Forge, text: &str) -> Vec<String> {
    let expected = on(Stage::Production);
    let said = say(forge, text, &expected).await;
    said.findings.iter().map(ToString::to_string).collect()
}

fn on(stage: Stage) -> Expectation {
    Expectation {
        stage: Some(stage),
        ..Expectation::default()
    }
}

#[tokio::test]
async fn a_mistake_in_the_header_has_its_sentence() {
    let forge = Forge::new().await;
    let jwt = forge.signed(&claims());
    let (head, tail) = jwt.split_at(60);
    let refresh = encode([9; 32]);
    let table = [
        (
            format!("ext{jwt}"),
            "there is no space between the client id and the token",
        ),
        (
            format!("ext  {jwt}"),
            "there is a space too many; one space stands between the client id and the token",
        ),
        (
            format!("ext\t{jwt}"),
            "there is a tab or an unusual space in the header; use one plain space",
        ),
        (
            format!("Bearer {jwt}"),
            "Bearer needs a token that names its extension (`app_id`), and this one does not; \
             send `<client id> <jwt>`",
        ),
        (
            format!("Authorization: Bearer ext {jwt}"),
            "the header has both Bearer and a client id; leave Bearer away",
        ),
        (
            format!("Authorization: {jwt}"),
            "the header has one part; it must be `<client id> <jwt>`",
        ),
        (
            format!("ext {jwt} x"),
            "the header has 3 parts; it must be `<client id> <jwt>`",
        ),
        (
            format!("\"ext {jwt}\""),
            "quotes were pasted along; leave them away",
        ),
        (
            format!("ext {head}\n{tail}"),
            "a line break was pasted along; the header must be one line",
        ),
        (
            format!("nobody {jwt}"),
            "extension nobody is not registered here",
        ),
        (
            format!("ext/ {jwt}"),
            "the client id must not contain white space, control characters or slashes",
        ),
        (
            refresh,
            "this looks like a refresh token; a game sends it in `authenticate`, and it is no JWT \
             for a header",
        ),
        (
            "ext abc".to_owned(),
            "this is no JWT: it has 1 of three parts",
        ),
        (
            format!("ext {jwt}{}", "x".repeat(5_000)),
            "bytes long; at most 4096 are read",
        ),
        (
            " \n".to_owned(),
            "there is nothing here: give a token, a header or a curl line",
        ),
    ];
    for (text, sentence) in table {
        let said = sentences(&forge, &text).await;
        assert!(
            said.iter().any(|said| said.contains(sentence)),
            "{text}: {said:?}"
        );
    }
}

#[tokio::test]
async fn a_mistake_in_the_claims_has_its_sentence() {
    let forge = Forge::new().await;
    let of = |changes: Value| forge.signed(&with(&changes));
    let table = [
        (
            of(json!({ "exp": null })),
            "exp is missing; every token needs one",
        ),
        (
            of(json!({ "exp": (NOW_S + 60) * 1_000 })),
            "exp is in milliseconds; it must be seconds",
        ),
        (
            of(json!({ "exp": "soon" })),
            "exp must be a whole number of seconds",
        ),
        (of(json!({ "exp": NOW_S - 180 })), "expired 3 minutes ago"),
        (
            of(json!({ "iat": NOW_S + 480 })),
            "it is issued in the future; your clock is 8 minutes fast",
        ),
        (
            of(json!({ "nbf": NOW_S + 480 })),
            "it is valid in 8 minutes only (nbf); your clock may be fast",
        ),
        (
            of(json!({ "iat": NOW_S * 1_000 })),
            "iat is in milliseconds; it must be seconds",
        ),
        (
            of(json!({ "allowed_stage": "sandbox" })),
            "this token is for sandbox; you called production",
        ),
        (
            of(json!({ "allowed_stage": "test" })),
            "allowed_stage test is no stage",
        ),
        (of(json!({ "role": "root" })), "root is not a role"),
        (of(json!({ "role": null })), "role is missing"),
        (of(json!({ "user_id": 77 })), "user_id must be a string"),
        (
            of(json!({ "channel_id": null })),
            "role viewer needs a channel_id, and not `all`",
        ),
        (
            of(json!({ "app_id": "other" })),
            "the token is for extension other, you called as ext",
        ),
        (
            of(json!({ "topic": "bits_transaction_receipt" })),
            "this is a purchase receipt (it has a topic), not a token for calls",
        ),
        (
            of(json!({ "opaque_user_id": null })),
            "neither user_id nor opaque_user_id is there",
        ),
        (
            forge.developer(&claims().to_string().replacen('{', r#"{"exp":1,"#, 1)),
            "exp is there twice",
        ),
        (forge.developer("[]"), "the payload is not a JSON object"),
        (
            of(json!({ "user_id": "\u{1b}[31m" })),
            "user_id must be at most 128 bytes without control characters",
        ),
    ];
    for (jwt, sentence) in table {
        let said = sentences(&forge, &format!("ext {jwt}")).await;
        assert_eq!(said, [sentence], "{jwt}");
    }
}

#[tokio::test]
async fn a_mistake_in_signing_has_its_sentence() {
    let forge = Forge::new().await;
    let payload = claims().to_string();
    let by = |header: &str, key: &[u8]| sign(header, &payload, key);
    let alg = |alg: &str| json!({ "alg": alg }).to_string();
    let secret = registry_secret(&forge);
    let hs256 = alg("HS256");
    let text = STANDARD.encode(&forge.secret);
    let standard = by(
        &json!({ "alg": "HS256", "typ": "J" }).to_string(),
        &forge.secret,
    )
    .replacen('.', "=.", 1);
    let kid = json!({ "alg": "HS256", "kid": "k1" }).to_string();
    let table = [
        (
            by(&alg("none"), b""),
            "its algorithm is none; only HS256 is accepted".to_owned(),
        ),
        (
            by(&alg("RS256"), &forge.secret),
            "its algorithm is RS256; only HS256 is accepted".to_owned(),
        ),
        (
            by("{}", &forge.secret),
            "it names no algorithm; only HS256 is accepted".to_owned(),
        ),
        (
            by(&hs256, b"guess"),
            "no key known here made the signature: another secret, another deployment, or the \
             token was changed after it was signed"
                .to_owned(),
        ),
        (
            by(&hs256, &forge.other_secret),
            "it was signed with a secret of another extension, other".to_owned(),
        ),
        (
            by(&hs256, text.as_bytes()),
            format!(
                "it was signed with the base64 text of secret {secret}; decode the secret before use"
            ),
        ),
        (
            by(&kid, &forge.secret),
            format!(
                "secret {secret} of the extension signed it, but its header names a key; leave kid away"
            ),
        ),
        (
            by(&kid, b"guess"),
            "the key k1 it names is not in this deployment's key ring; another deployment minted \
             it, or the field kid does not belong there"
                .to_owned(),
        ),
        (
            standard,
            "the header is in the wrong base64 alphabet; a JWT uses base64url without padding"
                .to_owned(),
        ),
    ];
    for (jwt, sentence) in table {
        let said = sentences(&forge, &format!("ext {jwt}")).await;
        assert!(said.contains(&sentence), "{jwt}: {said:?}");
    }
    let said = sentences(
        &forge,
        &format!("ext {}", by(&hs256, &forge.retired_secret)),
    )
    .await;
    assert!(said[0].ends_with("which signed it, is retired"), "{said:?}");
    let said = sentences(&forge, &forge.old_token).await;
    let retired = format!("the key {} that signed it is retired", forge.ring[1].0);
    assert!(said.contains(&retired), "{said:?}");
}

fn registry_secret(forge: &Forge) -> String {
    let all = forge.core.extensions();
    let extension = all
        .iter()
        .find(|known| known.client_id.as_str() == EXTENSION);
    extension.unwrap().secrets[0].id.clone()
}

#[tokio::test]
async fn a_good_token_is_explained_and_nothing_is_written() {
    let forge = Forge::new().await;
    let minted = forge
        .minted(Stage::Sandbox, EXTENSION, Role::Broadcaster)
        .await;
    let before = (forge.store.held(), forge.store.commits());
    let texts = [
        minted.clone(),
        format!("{minted}\n"),
        format!("ext {minted}"),
        format!("Bearer {minted}"),
        format!("Authorization: ext {minted}"),
        format!("authorization:Bearer {minted}\r\n"),
    ];
    for text in texts {
        let said = say(&forge, &text, &Expectation::default()).await;
        assert_eq!(said.findings, [], "{text:?}");
        assert_eq!(said.stage, Some(Stage::Sandbox));
        assert_eq!(said.extension.unwrap().name, "The ext");
        let facts = said.facts.unwrap();
        assert_eq!(
            (facts.role, facts.channel_id.as_deref()),
            (Some(Role::Broadcaster), Some("1"))
        );
        let kid = forge.ring[0].0.clone();
        assert_eq!(
            said.signer,
            Signer::Ring {
                kid,
                retired: false
            }
        );
    }
    // A developer's token names nobody: its signature does.
    let said = say(&forge, &forge.signed(&claims()), &Expectation::default()).await;
    assert_eq!(
        (said.findings, said.client_id.as_deref()),
        (vec![], Some(EXTENSION))
    );
    assert_eq!((forge.store.held(), forge.store.commits()), before);
}

#[tokio::test]
async fn what_the_call_wants_is_compared_with_what_the_token_may() {
    let forge = Forge::new().await;
    let viewer = format!("ext {}", forge.signed(&claims()));
    let expected = Expectation {
        stage: Some(Stage::Production),
        channel_id: Some("2".to_owned()),
        requires: Requires::Broadcaster,
    };
    let said = say(&forge, &viewer, &expected).await;
    let said: Vec<_> = said.findings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "the call requires role broadcaster; the token's role is viewer",
            "the token is for channel 1, you expected 2",
        ]
    );
    let backend = forge.signed(&with(&json!({ "role": "external", "channel_id": "all" })));
    let trusted = Expectation {
        requires: Requires::Trusted,
        ..expected.clone()
    };
    assert!(
        say(&forge, &format!("ext {backend}"), &trusted)
            .await
            .is_good()
    );
    assert!(
        !say(&forge, &format!("ext {backend}"), &expected)
            .await
            .is_good()
    );
}

#[tokio::test]
async fn pending_and_revoked_tokens_are_told_apart() {
    let forge = Forge::new().await;
    let (core, sandbox) = (&forge.core, on(Stage::Sandbox));
    let made = create_game_pin(core, Stage::Sandbox, EXTENSION, [127, 0, 0, 1].into());
    let made = made.await.unwrap();
    let said = say(&forge, &made.token, &sandbox).await;
    assert_eq!(said.grant, Some(GrantFacts::Pending));
    assert_eq!(said.findings, [tokens::Finding::Pending]);

    let page = forge
        .minted(Stage::Sandbox, EXTENSION, Role::Broadcaster)
        .await;
    let caller = authorize(core, Stage::Sandbox, Some(&format!("ext {page}")))
        .await
        .unwrap();
    let address = [127, 0, 0, 1].into();
    pairing::validate_pin(core, &caller, &made.pin, address)
        .await
        .unwrap();
    let said = say(&forge, &made.token, &sandbox).await;
    assert_eq!(
        (said.is_good(), said.grant),
        (true, Some(GrantFacts::Active("1".into())))
    );
    let elsewhere = Expectation {
        channel_id: Some("2".into()),
        ..sandbox.clone()
    };
    let said = say(&forge, &made.token, &elsewhere).await;
    assert_eq!(
        said.findings[0].to_string(),
        "the token is for channel 1, you expected 2"
    );

    pairing::revoke_game_pins(core, &caller).await.unwrap();
    let said = say(&forge, &made.token, &sandbox).await;
    assert_eq!(said.findings, [tokens::Finding::Revoked("its grant")]);
    let jti = tokens::inspect(&page, 4_096).unwrap().claims.jti.unwrap();
    tokens::revoke(core, &jti).await.unwrap();
    let said = say(&forge, &page, &sandbox).await;
    assert_eq!(said.findings, [tokens::Finding::Revoked("the token")]);
}

#[tokio::test]
async fn without_a_store_everything_but_the_signature_is_judged() {
    let forge = Forge::new().await;
    let now_ms = NOW_S * 1_000;
    let minted = forge.minted(Stage::Sandbox, EXTENSION, Role::Viewer).await;
    let said = diagnose(None, now_ms, &minted, &on(Stage::Sandbox)).await;
    assert_eq!(
        (said.is_good(), said.signer, said.extension),
        (true, Signer::Unchecked, None)
    );
    let said = diagnose(None, now_ms, &minted, &on(Stage::Production)).await;
    assert_eq!(
        said.findings[0].to_string(),
        "this token is for sandbox; you called production"
    );
    let said = diagnose(None, now_ms + 7_200_000, &minted, &on(Stage::Sandbox)).await;
    assert_eq!(said.findings[0].to_string(), "expired 60 minutes ago");
}

#[tokio::test]
async fn the_switches_of_an_extension_are_known() {
    let forge = Forge::new().await;
    for (client_id, platform, auto) in [("hosted", true, false), ("found", false, true)] {
        let request = AddExtension {
            client_id: id(client_id),
            owner: String::new(),
            name: None,
            secrets: Vec::new(),
            sandbox_takes_platform_tokens: platform,
            auto_registered: auto,
        };
        let made = registry::add(forge.core.world(), request).await.unwrap();
        forge.core.reload().await.unwrap();
        let text = made.secrets[0].secret.to_base64();
        let key = STANDARD.decode(text).unwrap();
        let jwt = sign(crate::forge::HS256, &claims().to_string(), &key);
        let header = format!("{client_id} {jwt}");
        let sandbox = say(&forge, &header, &on(Stage::Sandbox)).await;
        assert_eq!(sandbox.is_good(), platform, "{:?}", sandbox.findings);
        let production = say(&forge, &header, &on(Stage::Production)).await;
        assert_eq!(production.is_good(), !auto, "{:?}", production.findings);
    }
}

#[test]
fn text_from_outside_cannot_reach_the_terminal() {
    assert_eq!(
        Shown("a\u{1b}[2J\u{202e}b").to_string(),
        "a\\u{1b}[2J\\u{202e}b"
    );
    let long = Shown(&"x".repeat(121)).to_string();
    assert_eq!((long.chars().count(), long.ends_with('…')), (121, true));
}

#[test]
fn times_are_told_in_their_largest_unit() {
    let table = [
        (0, "0 seconds"),
        (1_999, "1 second"),
        (119_000, "119 seconds"),
        (120_000, "2 minutes"),
        (7_199_000, "119 minutes"),
        (7_200_000, "2 hours"),
        (172_800_000, "2 days"),
        (u64::MAX, "213503982334 days"),
    ];
    for (ms, text) in table {
        assert_eq!(Span(ms).to_string(), text);
    }
}
