//! A game over TLS against the program's own.

use std::env;
use std::fs;
use std::process::Command;

use crowdlink_client::Error;
use serde_json::json;

use crate::harness::program::Program;
use crate::harness::{connect, soon};

/// Set in the process that plays the game: where the server is, and the PIN.
const GAME: &str = "CROWDLINK_TEST_TLS_GAME";

/// The library trusts what the machine trusts, and a machine is told by `SSL_CERT_FILE`, which a
/// process reads of itself: so this test starts itself once more, with it and without.
#[tokio::test]
async fn a_game_plays_over_tls_where_the_machine_trusts_the_server() {
    if let Ok(game) = env::var(GAME) {
        let (url, pin) = game.split_once(' ').unwrap();
        let trusted = env::var_os("SSL_CERT_FILE").is_some();
        return Box::pin(play(url, pin, trusted)).await;
    }
    let data = tempfile::tempdir().unwrap();
    let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (data.path().join("c.pem"), data.path().join("k.pem"));
    fs::write(&certificate, issued.cert.pem()).unwrap();
    fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let flags = [
        format!("--tls-certificate={}", certificate.display()),
        format!("--tls-key={}", key.display()),
        "--tls-listeners=sandbox-gamelink".to_owned(),
    ];
    let program = Program::start_with(data.path(), &flags);
    for trusted in [false, true] {
        let pin = program.pin("42").await;
        let mut again = Command::new(env::current_exe().unwrap());
        again
            .args(["--exact", "--nocapture"])
            .arg("tls::a_game_plays_over_tls_where_the_machine_trusts_the_server")
            .env(GAME, format!("{} {pin}", program.secure_url()))
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR");
        if trusted {
            again.env("SSL_CERT_FILE", &certificate);
        }
        let ended = tokio::task::spawn_blocking(move || again.output());
        let output = ended.await.unwrap().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "trusted {trusted}: {told} {errors}"
        );
        assert!(told.contains("1 passed"), "it ran: {told}");
    }
    let state = program.page("viewer", "42").await;
    let (_, state) = state.send("GET", "/v1/e/channel_state", &json!({})).await;
    assert_eq!(state, json!({ "played": true }));
}

async fn play(url: &str, pin: &str, trusted: bool) {
    let connect = connect(url).connect_within(std::time::Duration::from_secs(2));
    let paired = soon("pairing or its end", Box::pin(connect.pair_with_pin(pin))).await;
    if !trusted {
        let error = paired.unwrap_err();
        return assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    }
    let paired = paired.unwrap();
    assert_eq!(paired.channel, "42");
    let state = paired.game.channel_state();
    let played = json!({ "played": true });
    soon("the state is set", state.set(&played)).await.unwrap();
}
