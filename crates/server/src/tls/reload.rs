//! The files change while the server runs: tools renew certificates every few weeks.

use std::sync::Arc;

use crowdlink_store::Clock;

use super::error::TlsError;
use super::validity::readable;
use super::{Files, Pair, Tls};

/// How often the files are looked at, in ms.
const LOOK_MS: u64 = 5_000;

impl Tls {
    /// Looks at the files for ever and takes a new pair for the handshakes to come; connections
    /// stay as they are. A pair that cannot be used, such as one that is half renewed, is tried
    /// again each time and told of once.
    pub async fn watch(self: Arc<Self>, clock: Arc<dyn Clock>) {
        let mut told = None;
        loop {
            clock.sleep_ms(LOOK_MS).await;
            let (files, now_ms) = (self.files.clone(), clock.now_ms());
            let known = self.current.read().clone();
            let looked = tokio::task::spawn_blocking(move || look(&files, &known, now_ms)).await;
            let Ok(looked) = looked else { return };
            match looked {
                Ok(Some(pair)) => {
                    let until = readable(pair.validity.until_ms);
                    tracing::info!(valid_until = until, "new TLS certificate in use");
                    self.metrics.expires_at(pair.validity.until_ms);
                    *self.current.write() = pair;
                    told = None;
                }
                Ok(None) => told = None,
                Err(error) if told.as_ref() == Some(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "the TLS certificate in use stays");
                    told = Some(error);
                }
            }
        }
    }
}

/// The pair of the files, where it is another than the known one and better.
fn look(files: &Files, known: &Pair, now_ms: i64) -> Result<Option<Pair>, TlsError> {
    let contents = files.read()?;
    if contents.digest() == known.digest {
        return if known.validity.holds_at(now_ms) {
            Ok(None)
        } else {
            Err(not_valid(files, known))
        };
    }
    let pair = files.pair(&contents)?;
    if known.validity.holds_at(now_ms) && !pair.validity.holds_at(now_ms) {
        return Err(not_valid(files, &pair));
    }
    Ok(Some(pair))
}

fn not_valid(files: &Files, pair: &Pair) -> TlsError {
    TlsError::NotValid {
        path: files.certificate.clone(),
        from_ms: pair.validity.from_ms,
        until_ms: pair.validity.until_ms,
    }
}
