//! Which database, and how to reach it: the URL and TLS.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::options::PostgresOptions;
use crate::contract::StoreError;

/// A connection without traffic is probed after so long, in s.
const PROBE_AFTER_S: u64 = 10;

/// The database of a URL.
#[derive(Clone)]
pub(super) struct Target {
    pub(super) config: Config,
    /// `None` without TLS.
    pub(super) tls: Option<MakeRustlsConnect>,
}

impl fmt::Debug for Target {
    /// Hosts and the name of the database; no user, no password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Target")
            .field("hosts", &self.config.get_hosts())
            .field("database", &self.config.get_dbname())
            .field("tls", &self.tls.is_some())
            .finish()
    }
}

impl Target {
    /// Reads a URL: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=require`.
    ///
    /// # Errors
    /// `Refused` with a text that shows nothing of the URL, which holds a password.
    pub(super) fn parse(url: &str, options: &PostgresOptions) -> Result<Self, StoreError> {
        // Certificates are verified whenever there is TLS, so the three mean the same here.
        let url = ["sslmode=verify-full", "sslmode=verify-ca"]
            .iter()
            .fold(url.to_owned(), |url, mode| {
                url.replace(mode, "sslmode=require")
            });
        let mut config: Config = url.parse().map_err(|_| {
            refused(
                "the URL cannot be read: expected postgres://USER:PASSWORD@HOST:PORT/DATABASE, \
                 with ?sslmode=require for TLS; other characters than letters and digits in a \
                 password are written %XX",
            )
        })?;
        if config.get_hosts().is_empty() {
            return Err(refused("the URL names no host"));
        }
        let waits = Duration::from_millis(options.connect_ms_max);
        config
            .connect_timeout(waits)
            .tcp_user_timeout(Duration::from_millis(options.answer_ms_max))
            .keepalives_idle(Duration::from_secs(PROBE_AFTER_S))
            // A replica could neither take commits nor tell of those of this moment.
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("crowdlink");
        }
        let tls = if config.get_ssl_mode() == SslMode::Require {
            Some(MakeRustlsConnect::new(client_config()?))
        } else {
            config.ssl_mode(SslMode::Disable);
            if config.get_hosts().iter().any(is_elsewhere) {
                tracing::warn!("data goes to PostgreSQL in the clear: add ?sslmode=require");
            }
            None
        };
        Ok(Self { config, tls })
    }
}

fn refused(why: &str) -> StoreError {
    StoreError::Refused(why.into())
}

/// Whether what is sent there leaves the machine.
fn is_elsewhere(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name != "localhost"
                && !name
                    .parse::<std::net::IpAddr>()
                    .is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => false,
    }
}

/// Trusts what the machine trusts, or the file that `SSL_CERT_FILE` names.
fn client_config() -> Result<ClientConfig, StoreError> {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "a certificate authority could not be read");
    }
    let mut roots = RootCertStore::empty();
    let (trusted, _) = roots.add_parsable_certificates(found.certs);
    if trusted == 0 {
        return Err(refused(
            "sslmode=require, and this machine trusts no certificate authority: \
             install them, or name a file in SSL_CERT_FILE",
        ));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| refused(&format!("TLS: {error}")))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_url_is_shown_when_it_cannot_be_read() {
        for url in [
            "postgres://user:s3cret@host:no-port/db",
            "postgres://user:s3cret@host/db?s3cret=1",
            "postgres://user:s3cret@host/db?sslmode=s3cret",
            "s3cret",
        ] {
            let error = Target::parse(url, &PostgresOptions::default()).unwrap_err();
            assert!(matches!(&error, StoreError::Refused(_)), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_target_prints_neither_user_nor_password() {
        let url = "postgres://someone:s3cret@localhost:1/db";
        let target = Target::parse(url, &PostgresOptions::default()).unwrap();
        let text = format!("{target:?}");
        assert!(
            text.contains("localhost") && !text.contains("s3cret"),
            "{text}"
        );
        assert!(!text.contains("someone"), "{text}");
    }

    #[test]
    fn only_require_and_stricter_words_turn_tls_on() {
        for (mode, tls) in [
            ("", false),
            ("?sslmode=disable", false),
            ("?sslmode=prefer", false),
            ("?sslmode=require", true),
            ("?sslmode=verify-full", true),
            ("?sslmode=verify-ca", true),
        ] {
            let url = format!("postgres://u@localhost/db{mode}");
            let target = Target::parse(&url, &PostgresOptions::default()).unwrap();
            assert_eq!(target.tls.is_some(), tls, "{mode}");
        }
    }

    #[test]
    fn loopback_and_sockets_are_not_elsewhere() {
        for (host, elsewhere) in [
            ("localhost", false),
            ("127.0.0.1", false),
            ("::1", false),
            ("10.0.0.1", true),
            ("db.example", true),
        ] {
            assert_eq!(is_elsewhere(&Host::Tcp(host.into())), elsewhere, "{host}");
        }
    }
}
