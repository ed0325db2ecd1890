//! RFC 8725 as one table: tokens nobody may get in with, each with the refusal it meets, and good
//! ones among them, which prove that the table can fail. The explanation for people must agree.

use crowdlink_core::tokens::{self, Expectation, authorize, diagnose};
use crowdlink_core::{Error, TokenFault, registry};
use crowdlink_protocol::{Role, Stage};
use serde_json::json;

use crate::forge::{EXTENSION, Forge, claims, id, with};
use crate::{hostile_claims, hostile_headers};

/// Rows there must be at least.
const HOSTILE_ROWS_MIN: usize = 60;

/// One line of the table.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) stage: Stage,
    /// What stands in the Authorization header.
    pub(crate) header: String,
    /// `None` where it is good.
    pub(crate) refusal: Option<Error>,
}

/// A token of [`EXTENSION`] for production.
pub(crate) fn row(name: &'static str, jwt: &str, refusal: Option<Error>) -> Row {
    on(Stage::Production, name, jwt, refusal)
}

pub(crate) fn on(stage: Stage, name: &'static str, jwt: &str, refusal: Option<Error>) -> Row {
    Row {
        name,
        stage,
        header: format!("{EXTENSION} {jwt}"),
        refusal,
    }
}

pub(crate) const SIGNATURE: Option<Error> = Some(Error::TokenInvalid(TokenFault::Signature));
pub(crate) const MALFORMED: Option<Error> = Some(Error::TokenInvalid(TokenFault::Malformed));
pub(crate) const EXPIRED: Option<Error> = Some(Error::TokenInvalid(TokenFault::Expired));
pub(crate) const EARLY: Option<Error> = Some(Error::TokenInvalid(TokenFault::NotYetValid));
pub(crate) const OTHER_EXTENSION: Option<Error> =
    Some(Error::TokenInvalid(TokenFault::OtherExtension));
pub(crate) const STAGE: Option<Error> = Some(Error::StageMismatch);
pub(crate) const GOOD: Option<Error> = None;

#[tokio::test]
async fn no_hostile_token_is_accepted_and_good_ones_are() {
    let forge = Forge::new().await;
    let mut rows = hostile_headers::rows(&forge).await;
    rows.extend(hostile_claims::rows(&forge));
    let hostile = rows.iter().filter(|row| row.refusal.is_some()).count();
    assert!(hostile >= HOSTILE_ROWS_MIN, "{hostile}");
    assert!(rows.len() - hostile >= 10, "too few good ones");
    let mut wrong = Vec::new();
    for row in &rows {
        // Twice: the second time the verdict may come from memory.
        for turn in 1..=2 {
            let outcome = authorize(&forge.core, row.stage, Some(&row.header)).await;
            if outcome.as_ref().err() != row.refusal.as_ref() {
                wrong.push(format!("{} (turn {turn}): {:?}", row.name, outcome.err()));
            }
        }
        let expected = Expectation {
            stage: Some(row.stage),
            ..Expectation::default()
        };
        let now_ms = forge.core.world().clock.now_ms();
        let said = diagnose(Some(&forge.core), now_ms, &row.header, &expected).await;
        if said.is_good() == row.refusal.is_some() {
            wrong.push(format!("{}: the doctor says {:?}", row.name, said.findings));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn a_developer_cannot_act_for_a_family_or_a_grant() {
    let forge = Forge::new().await;
    let made = crowdlink_core::pairing::create_game_pin(
        &forge.core,
        Stage::Production,
        EXTENSION,
        [127, 0, 0, 1].into(),
    );
    let pending = tokens::inspect(&made.await.unwrap().token, 4_096).unwrap();
    let grant = pending.claims.grant.unwrap();
    let forged = with(&json!({ "fam": "f", "grant": grant, "role": "broadcaster" }));
    let header = format!("{EXTENSION} {}", forge.signed(&forged));
    let caller = authorize(&forge.core, Stage::Production, Some(&header))
        .await
        .unwrap();
    // It is what its developer may sign anyway, in the channel it names, and no more.
    assert_eq!(
        (&caller.revocable.fam, &caller.revocable.grant),
        (&None, &None)
    );
    assert_eq!(caller.channel_id.as_deref(), Some("1"));
    // Nor does the end of a grant or a family end it.
    tokens::revoke(&forge.core, &grant).await.unwrap();
    assert!(
        authorize(&forge.core, Stage::Production, Some(&header))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_token_ends_with_its_id_its_secret_and_its_extension() {
    let forge = Forge::new().await;
    let refused = |header: String| {
        let core = forge.core.clone();
        async move {
            authorize(&core, Stage::Production, Some(&header))
                .await
                .err()
        }
    };
    let by_id = format!(
        "{EXTENSION} {}",
        forge.signed(&with(&json!({ "jti": "t1" })))
    );
    let plain = format!("{EXTENSION} {}", forge.signed(&claims()));
    assert_eq!(refused(by_id.clone()).await, GOOD);
    tokens::revoke(&forge.core, "t1").await.unwrap();
    assert_eq!(
        refused(by_id).await,
        Some(Error::TokenInvalid(TokenFault::Revoked))
    );
    assert_eq!(refused(plain.clone()).await, GOOD);
    let rotated = registry::rotate_secret(forge.core.world(), &id(EXTENSION), Some(1_000)).await;
    rotated.unwrap();
    forge.core.reload().await.unwrap();
    assert_eq!(refused(plain.clone()).await, GOOD);
    forge.clock.advance_ms(1_000);
    assert_eq!(refused(plain.clone()).await, SIGNATURE);
    registry::remove(forge.core.world(), &id(EXTENSION))
        .await
        .unwrap();
    forge.core.reload().await.unwrap();
    assert_eq!(refused(plain).await, Some(Error::ExtensionUnknown));
}

#[tokio::test]
async fn a_refresh_token_and_a_request_for_an_exchange_stay_at_their_own_doors() {
    let forge = Forge::new().await;
    let exchanged = |claims| {
        let (core, jwt) = (forge.core.clone(), forge.signed(&claims));
        async move { tokens::exchange(&core, Stage::Production, &jwt).await }
    };
    let now_s = crate::forge::NOW_S;
    let request = json!({
        "identifier": EXTENSION, "channel_id": "1", "user_id": "5", "role": "viewer",
        "iat": now_s, "exp": now_s + 300,
    });
    let token = exchanged(request.clone()).await.unwrap();
    let header = format!("{EXTENSION} {token}");
    let caller = authorize(&forge.core, Stage::Production, Some(&header))
        .await
        .unwrap();
    assert_eq!(caller.role, Role::Viewer);
    // What it is exchanged for cannot be exchanged again, nor can a platform token.
    assert!(
        tokens::exchange(&forge.core, Stage::Production, &token)
            .await
            .is_err()
    );
    assert!(exchanged(claims()).await.is_err());
    let mut long = request;
    long["user_id"] = "5".repeat(129).into();
    assert!(matches!(exchanged(long).await, Err(Error::Invalid { .. })));
}
