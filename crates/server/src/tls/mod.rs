//! TLS on listeners: one certificate with its key, read from files and again when they change.
//!
//! `pair` makes files into what a handshake needs, `reload` watches them, `handshakes` bounds what
//! callers can make of it. A connection whose handshake is done goes on in `listen` as any other,
//! and after an upgrade in `live`.

mod error;
mod handshakes;
mod metrics;
mod pair;
mod reload;
mod validity;

use std::fmt;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;

pub use error::{FileKind, TlsError};
pub(crate) use handshakes::Place;
pub use handshakes::{HandshakeLimits, Handshakes};
pub use metrics::TlsMetrics;

use crate::listen::EdgeName;
use crate::settings;
use pair::{Files, Pair};

/// The certificate in use, for all listeners that speak TLS.
pub struct Tls {
    files: Files,
    listeners: Vec<EdgeName>,
    current: RwLock<Pair>,
    metrics: TlsMetrics,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls")
            .field("files", &self.files)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files of the settings; `None` where the settings name none. A certificate that is
    /// not valid at `now_ms` (Unix ms) is served all the same, and an error is logged: a server that
    /// does not start helps nobody.
    ///
    /// # Errors
    /// Files that are missing, damaged, or do not belong together.
    pub fn open(settings: &settings::Tls, now_ms: i64) -> Result<Option<Arc<Self>>, TlsError> {
        let half = |given, missing| Err(TlsError::Half { given, missing });
        let files = match (settings.certificate.clone(), settings.key.clone()) {
            (Some(certificate), Some(key)) => Files { certificate, key },
            (None, None) => return Ok(None),
            (Some(_), None) => return half("tls.certificate", "tls.key"),
            (None, Some(_)) => return half("tls.key", "tls.certificate"),
        };
        let pair = files.pair(&files.read()?)?;
        if !pair.validity.holds_at(now_ms) {
            let error = TlsError::NotValid {
                path: files.certificate.clone(),
                from_ms: pair.validity.from_ms,
                until_ms: pair.validity.until_ms,
            };
            tracing::error!(%error, "clients will refuse this server");
        }
        let metrics = TlsMetrics::default();
        metrics.expires_at(pair.validity.until_ms);
        Ok(Some(Arc::new(Self {
            files,
            listeners: settings.listeners.names().to_vec(),
            current: RwLock::new(pair),
            metrics,
        })))
    }

    /// Whether a listener speaks TLS.
    pub fn covers(&self, name: EdgeName) -> bool {
        self.listeners.contains(&name)
    }

    /// What is counted.
    pub fn metrics(&self) -> &TlsMetrics {
        &self.metrics
    }

    /// What new handshakes go by.
    fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current.read().config)
    }
}
