//! PINs, tokens and extensions on several nodes (`spec 1.3`, `spec 1.4`).

use std::net::{IpAddr, Ipv4Addr};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crowdlink_core::tokens::{self, AuthtokenRequest};
use crowdlink_core::{Core, Error, Notice, pairing, registry};
use crowdlink_protocol::{Role, Stage};
use crowdlink_store::Faults;

use crate::cluster::{CHANNEL, Cluster, broadcaster, client_id, soon};
use crate::wire::Way;

const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

async fn token(core: &Core) -> String {
    let request = AuthtokenRequest {
        client_id: Some(client_id().to_string()),
        channel_id: CHANNEL.to_owned(),
        user_ids: vec!["77".to_owned()],
        role: Role::Viewer,
        unlinked: false,
        address: HOME,
    };
    let minted = tokens::authtoken(core, Stage::Sandbox, request).await;
    minted.unwrap().remove(0)
}

async fn is_let_in(core: &Core, jwt: &str) -> bool {
    let caller = tokens::authorize_jwt(core, Stage::Sandbox, &client_id(), jwt).await;
    caller.is_ok()
}

fn id_of(jwt: &str) -> String {
    let claims = URL_SAFE_NO_PAD
        .decode(jwt.split('.').nth(1).unwrap())
        .unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    claims["jti"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn of_all_nodes_that_race_for_a_pin_one_gets_it() {
    let slow = Faults {
        delay_per_mille: 700,
        yields_max: 12,
        ..Faults::default()
    };
    for seed in 0..50 {
        let cluster = Cluster::with_faults(3, seed, slow).await;
        cluster.wire.set(Way::Lost);
        let caller = broadcaster(&cluster.cores[0]).await;
        let pin = pairing::create_pin(&cluster.cores[0], &caller)
            .await
            .unwrap();
        let stage_and_pin = (Stage::Sandbox, pin.as_str());
        let redeem = async |core: &Core| {
            let (stage, pin) = stage_and_pin;
            pairing::redeem_pin(core, stage, &client_id(), (pin, HOME), None).await
        };
        let tries = cluster.cores.iter().map(|core| redeem(core));
        let outcomes = futures::future::join_all(tries).await;
        let paired = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(paired, 1, "{outcomes:?}");
        for outcome in outcomes {
            assert!(
                matches!(outcome, Ok(_) | Err(Error::PinInvalid)),
                "{outcome:?}"
            );
        }
    }
}

#[tokio::test]
async fn with_word_a_revocation_is_known_everywhere_at_once() {
    let cluster = Cluster::start(3).await;
    let jwt = token(&cluster.cores[0]).await;
    for core in &cluster.cores {
        assert!(is_let_in(core, &jwt).await);
    }
    tokens::revoke(&cluster.cores[0], &id_of(&jwt))
        .await
        .unwrap();
    for core in &cluster.cores {
        soon("every node refuses it, and no time passes", || async {
            !is_let_in(core, &jwt).await
        })
        .await;
    }
}

#[tokio::test]
async fn without_word_a_revocation_is_known_everywhere_within_five_seconds() {
    for (up, way) in [(true, Way::Lost), (false, Way::Lost), (true, Way::Delayed)] {
        let cluster = Cluster::start(2).await;
        cluster.wire.set(way);
        cluster.wire.set_up(up);
        let jwt = token(&cluster.cores[0]).await;
        assert!(is_let_in(&cluster.cores[1], &jwt).await);
        tokens::revoke(&cluster.cores[0], &id_of(&jwt))
            .await
            .unwrap();
        assert!(!is_let_in(&cluster.cores[0], &jwt).await);
        for _ in 0..5 {
            cluster.pass_ms(999).await;
        }
        assert!(!is_let_in(&cluster.cores[1], &jwt).await);
        let is_told = |notice: &Notice| matches!(notice, Notice::Ended(_));
        assert!(cluster.count(1, is_told) > 0, "its sockets stay open");
    }
}

#[tokio::test]
async fn an_extension_that_goes_is_gone_everywhere_within_five_seconds() {
    let cluster = Cluster::start(2).await;
    cluster.wire.set(Way::Lost);
    let jwt = token(&cluster.cores[0]).await;
    assert!(is_let_in(&cluster.cores[1], &jwt).await);
    registry::remove(cluster.cores[0].world(), &client_id())
        .await
        .unwrap();
    for _ in 0..5 {
        cluster.pass_ms(999).await;
    }
    for core in &cluster.cores {
        assert!(!is_let_in(core, &jwt).await);
    }
}
