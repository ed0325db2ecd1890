//! The files of the certificate and its key: what is refused, and what happens when they change.

use std::fs;
use std::os::unix::fs::symlink;

use crowdlink_server::listen::EdgeName;
use crowdlink_server::settings;
use crowdlink_server::tls::{Tls, TlsError};
use rcgen::{CertificateParams, date_time_ymd};
use rustls::pki_types::CertificateDer;

use crate::harness::{Authority, Http, START_MS, Server};

/// A certificate that has been over for long when tests begin.
fn expired(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
}

/// Waits until a server shows another certificate than this; that one.
async fn shows_another(
    server: &Server,
    authority: &Authority,
    than: &CertificateDer<'_>,
) -> CertificateDer<'static> {
    let address = server.address(EdgeName::SandboxRest);
    server
        .in_time("a new certificate is shown", || async {
            authority.shown(address).await != *than
        })
        .await;
    authority.shown(address).await
}

/// Lets the server look at the files a few times; it still shows this certificate.
async fn stays(server: &Server, authority: &Authority, with: &CertificateDer<'_>) {
    let address = server.address(EdgeName::SandboxRest);
    for _ in 0..20 {
        server.advance_ms(1_000);
        assert_eq!(authority.shown(address).await, *with);
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_for_newcomers_and_open_connections_stay() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |settings| {
        settings.timeouts.socket_silence_ms_max = 3_600_000;
    })
    .await;
    let first = authority.shown(server.address(EdgeName::SandboxRest)).await;
    let (mut game, _) = server.paired_game("42").await;
    authority.renew(|params| params.not_after = date_time_ymd(2033, 5, 18));
    let second = shows_another(&server, &authority, &first).await;
    let shown = authority
        .shown(server.address(EdgeName::ProductionRest))
        .await;
    assert_eq!(shown, second, "on every listener");
    game.heartbeat().await;
    server.game().await.heartbeat().await;
    let metrics = Http::new(server.address(EdgeName::Ops))
        .get("/metrics")
        .await;
    let metrics = String::from_utf8(metrics.body.to_vec()).unwrap();
    let expires = "crowdlink_tls_certificate_expires_timestamp_seconds 1999987200";
    assert!(metrics.contains(expires), "{metrics}");
}

/// As tools do that keep every version and point a link at the newest.
#[tokio::test]
async fn links_that_are_swapped_are_followed() {
    let authority = Authority::new();
    let folder = tempfile::tempdir().unwrap();
    let put = |version: &str| {
        let at = folder.path().join(version);
        fs::create_dir(&at).unwrap();
        fs::copy(authority.certificate(), at.join("fullchain.pem")).unwrap();
        fs::copy(authority.key(), at.join("privkey.pem")).unwrap();
        let link = folder.path().join("next");
        symlink(&at, &link).unwrap();
        fs::rename(link, folder.path().join("live")).unwrap();
    };
    put("1");
    let server = Server::start_secure(&authority, |settings| {
        settings.tls.certificate = Some(folder.path().join("live/fullchain.pem"));
        settings.tls.key = Some(folder.path().join("live/privkey.pem"));
    })
    .await;
    let first = authority.shown(server.address(EdgeName::SandboxRest)).await;
    authority.renew(|_| {});
    put("2");
    shows_another(&server, &authority, &first).await;
}

#[tokio::test]
async fn a_pair_that_is_half_renewed_waits_for_its_other_half() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |_| {}).await;
    let first = authority.shown(server.address(EdgeName::SandboxRest)).await;
    let (certificate, key) = authority.issue(|_| {});
    fs::write(authority.certificate(), certificate).unwrap();
    stays(&server, &authority, &first).await;
    fs::write(authority.key(), key).unwrap();
    shows_another(&server, &authority, &first).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_certificate_in_use() {
    let authority = Authority::new();
    let server = Server::start_secure(&authority, |_| {}).await;
    let first = authority.shown(server.address(EdgeName::SandboxRest)).await;
    fs::write(authority.certificate(), "nothing").unwrap();
    stays(&server, &authority, &first).await;
    fs::remove_file(authority.key()).unwrap();
    stays(&server, &authority, &first).await;
    authority.renew(expired);
    stays(&server, &authority, &first).await;
    authority.renew(|_| {});
    shows_another(&server, &authority, &first).await;
}

#[tokio::test]
async fn an_expired_certificate_is_served_until_a_better_one_comes() {
    let authority = Authority::new();
    authority.renew(expired);
    // The client of this test would not go on with it: only the file decides here.
    let settings = pair_of(&authority);
    let tls = Tls::open(&settings, START_MS).unwrap().unwrap();
    assert!(tls.covers(EdgeName::SandboxRest) && !tls.covers(EdgeName::Ops));
    let server = Server::start_secure(&authority, |_| {}).await;
    authority.renew(|_| {});
    server
        .in_time("the new one is shown", || async {
            let address = server.address(EdgeName::SandboxRest);
            let stream = tokio::net::TcpStream::connect(address).await.unwrap();
            crate::harness::secured(stream, &authority.trust())
                .await
                .is_ok()
        })
        .await;
}

fn pair_of(authority: &Authority) -> settings::Tls {
    settings::Tls {
        certificate: Some(authority.certificate()),
        key: Some(authority.key()),
        ..settings::Tls::default()
    }
}

fn refused(settings: &settings::Tls) -> String {
    let error: TlsError = Tls::open(settings, START_MS).unwrap_err();
    error.to_string()
}

#[test]
fn what_is_wrong_with_a_file_is_told_and_nothing_of_a_key() {
    let authority = Authority::new();
    let (certificate, key) = (authority.certificate(), authority.key());
    let good = fs::read_to_string(&key).unwrap();
    let chain = fs::read_to_string(&certificate).unwrap();
    let of = |path: &std::path::Path, text: &str, why: &str| {
        let before = fs::read(path).unwrap();
        fs::write(path, text).unwrap();
        let told = refused(&pair_of(&authority));
        assert!(told.contains(why), "{told}");
        assert!(told.contains(&*path.to_string_lossy()), "{told}");
        assert!(good.lines().all(|line| !told.contains(line)), "{told}");
        fs::write(path, before).unwrap();
    };
    of(&certificate, "", "no certificate in PEM form");
    of(&certificate, &good, "no certificate in PEM form");
    of(&certificate, &chain.replace("MII", "M!I"), "damaged");
    let cut: String = chain.lines().filter(|line| line.contains("CERT")).collect();
    of(
        &certificate,
        &cut.replace("----------", "-----\nMAA=\n-----"),
        "damaged",
    );
    of(&certificate, &"x".repeat(65_537), "larger than 65536 bytes");
    of(&key, "", "no private key in PEM form");
    of(&key, &chain, "no private key in PEM form");
    of(&key, &good.replace("MI", "!!"), "damaged");
    of(
        &key,
        &good.replace(" PRIVATE", " ENCRYPTED PRIVATE"),
        "encrypted",
    );
    let (_, other) = authority.issue(|_| {});
    of(&key, &other, "does not belong to the certificate");
    Tls::open(&pair_of(&authority), START_MS).unwrap();
}

#[test]
fn a_file_that_is_not_there_and_a_setting_that_is_not_there_are_told() {
    let authority = Authority::new();
    fs::remove_file(authority.key()).unwrap();
    let told = refused(&pair_of(&authority));
    assert!(told.contains("key.pem: No such file"), "{told}");
    let half = settings::Tls {
        key: None,
        ..pair_of(&authority)
    };
    assert!(refused(&half).contains("tls.key is not; TLS needs both"));
    let half = settings::Tls {
        certificate: None,
        ..pair_of(&authority)
    };
    assert!(refused(&half).contains("tls.certificate is not; TLS needs both"));
    let none = settings::Tls::default();
    assert!(Tls::open(&none, START_MS).unwrap().is_none());
}
