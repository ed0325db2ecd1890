//! TLS to the database. Which authorities are trusted is a matter of the process, so the test runs
//! itself as a child for each case.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::server::{Server, open, row, run};
use crate::harness::put;

const NAME: &str = "postgres::tls::with_sslmode_require_the_certificate_must_be_good";
const URL: &str = "CROWDLINK_TEST_POSTGRES_TLS_URL";
const TOLD: &str = "told: ";

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// Puts a text into a file of the database, which alone may read it.
async fn write(url: &str, path: &str, text: &str) {
    let copy = format!(
        "COPY (SELECT unnest(string_to_array('{}', chr(10)))) \
         TO PROGRAM 'umask 077; cat > {path}'",
        text.trim()
    );
    run(url, &copy).await;
}

/// Turns TLS on, with a certificate for 127.0.0.1.
async fn secure(server: &Server, authority: &Authority) {
    let url = server.postgres.url();
    let folder = row(&url, "SHOW data_directory").await;
    let folder: &str = folder.get(0);
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, authority).unwrap();
    write(&url, &format!("{folder}/server.crt"), &certificate.pem()).await;
    write(&url, &format!("{folder}/server.key"), &key.serialize_pem()).await;
    run(&url, "ALTER SYSTEM SET ssl = on").await;
    server.postgres.stop().unwrap();
    server.postgres.start_again().unwrap();
}

/// Opens a store in a process that trusts one authority; what it tells.
fn open_trusting(authority: &Path, url: &str) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", NAME, "--nocapture"])
        .env(URL, url)
        .env("SSL_CERT_FILE", authority)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines().filter_map(|line| line.split_once(TOLD));
    lines
        .next()
        .unwrap_or_else(|| panic!("{text}"))
        .1
        .to_owned()
}

/// The child.
async fn tell(url: &str) {
    let told = match open(url).await {
        Err(error) => error.to_string(),
        Ok(store) => {
            put(store.as_ref(), "k", "1").await;
            let (plain, _) = url.split_once('?').unwrap();
            let query = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) \
                 WHERE application_name = 'crowdlink'";
            let encrypted: bool = row(plain, query).await.get(0);
            format!("encrypted: {encrypted}")
        }
    };
    std::io::stdout()
        .lock()
        .write_all(format!("\n{TOLD}{told}\n").as_bytes())
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_sslmode_require_the_certificate_must_be_good() {
    if let Ok(url) = std::env::var(URL) {
        return tell(&url).await;
    }
    let (ours, others) = (authority(), authority());
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        fs::write(&path, authority.pem()).unwrap();
        path
    };
    let (trusted, foreign) = (file("ours", &ours), file("others", &others));
    let server = Server::start();
    let url = server.database().await;
    let require = format!("{url}?sslmode=require");

    let told = open_trusting(&trusted, &require);
    assert!(told.contains("TLS"), "the database has none yet: {told}");
    secure(&server, &ours).await;
    assert_eq!(open_trusting(&trusted, &require), "encrypted: true");
    let strict = format!("{url}?sslmode=verify-full");
    assert_eq!(open_trusting(&trusted, &strict), "encrypted: true");
    let plain = format!("{url}?sslmode=disable");
    assert_eq!(open_trusting(&trusted, &plain), "encrypted: false");

    let told = open_trusting(&foreign, &require);
    assert!(
        told.starts_with("refused: "),
        "waiting cannot mend it: {told}"
    );
    assert!(told.contains("certificate"), "{told}");
    let elsewhere = require.replace("127.0.0.1", "localhost");
    let told = open_trusting(&trusted, &elsewhere);
    assert!(told.contains("certificate"), "{told}");
}
