//! Handshakes, before anything is known of a caller: bounded in time, in number, and for each
//! address.

use std::io;
use std::sync::Arc;

use crowdlink_store::Clock;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Tls;
use crate::client_address::ClientAddress;
use crate::listen::{EdgeName, Peer};
use crate::live::{AddressKey, Permit, Quota};
use crate::settings::Settings;
use crate::shutdown::Shutdown;

/// Encrypted bytes that may wait on a connection beside what its own queue holds.
const BUFFER_BYTES_MAX: usize = 32 * 1024;
/// How long a handshake goes on once the drain has started, in ms.
const DRAIN_MS_MAX: u64 = 1_000;
/// How long the caller of a failed handshake may take to hang up, in ms.
const HANG_UP_MS_MAX: u64 = 1_000;
/// Most that is read from such a caller, in bytes.
const HANG_UP_BYTES_MAX: u64 = 64 * 1024;

/// What handshakes of one listener may take.
#[derive(Clone, Copy, Debug)]
pub struct HandshakeLimits {
    /// Longest time of one, in ms.
    pub ms_max: u64,
    /// Most at a time.
    pub handshakes_max: usize,
    /// Most at a time from one address that is not a trusted proxy.
    pub per_address_max: u32,
}

impl HandshakeLimits {
    /// From the settings.
    pub fn new(settings: &Settings) -> Self {
        let limits = &settings.limits;
        Self {
            ms_max: settings.timeouts.tls_handshake_ms_max,
            handshakes_max: limits.tls_handshakes_max,
            per_address_max: limits.tls_handshakes_per_address_max,
        }
    }
}

/// The handshakes of one listener.
#[derive(Clone, Debug)]
pub struct Handshakes {
    tls: Arc<Tls>,
    name: EdgeName,
    places: Arc<Semaphore>,
    per_address: Arc<Quota<AddressKey>>,
    proxies: ClientAddress,
    ms_max: u64,
    clock: Arc<dyn Clock>,
}

/// What a handshake holds until it is done.
#[derive(Debug)]
pub(crate) struct Place {
    _place: OwnedSemaphorePermit,
    _of_address: Option<Permit<AddressKey>>,
}

impl Handshakes {
    /// Of a listener; `None` where it does not speak TLS.
    pub fn of(
        tls: &Arc<Tls>,
        name: EdgeName,
        limits: HandshakeLimits,
        proxies: ClientAddress,
        clock: Arc<dyn Clock>,
    ) -> Option<Self> {
        tls.covers(name).then(|| Self {
            tls: Arc::clone(tls),
            name,
            places: Arc::new(Semaphore::new(limits.handshakes_max)),
            per_address: Quota::new(limits.per_address_max),
            proxies,
            ms_max: limits.ms_max,
            clock,
        })
    }

    /// Waits until there is room for one more. Callers wait in the queue of the system meanwhile,
    /// for a shipped client gives up for good when it is refused.
    pub(crate) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        // Never closed, so it never fails.
        Arc::clone(&self.places).acquire_owned().await.ok()
    }

    /// Takes the place for a caller; `None` where its address has too many already.
    pub(crate) fn place(&self, room: OwnedSemaphorePermit, peer: Peer) -> Option<Place> {
        let address = peer.0.ip().to_canonical();
        let of_address = if self.proxies.is_trusted(address) {
            None
        } else {
            let permit = self.per_address.try_acquire(address);
            if permit.is_none() {
                self.tls.metrics.count(self.name, "refused");
                tracing::debug!(edge = %self.name, "too many TLS handshakes of one address");
                return None;
            }
            permit
        };
        Some(Place {
            _place: room,
            _of_address: of_address,
        })
    }

    /// Shakes hands. `None` where it does not come to that; the connection is closed then.
    pub(crate) async fn shake(
        &self,
        stream: TcpStream,
        place: Place,
        shutdown: &Shutdown,
    ) -> Option<TlsStream<TcpStream>> {
        let pending = self.tls.metrics.begin();
        let draining = async {
            shutdown.draining().await;
            self.clock.sleep_ms(DRAIN_MS_MAX).await;
        };
        let handshake = TlsAcceptor::from(self.tls.config())
            .accept_with(stream, |tls| tls.set_buffer_limit(Some(BUFFER_BYTES_MAX)))
            .into_fallible();
        let (outcome, shaken) = tokio::select! {
            done = handshake => match done {
                Ok(stream) => ("done", Some(stream)),
                Err((error, stream)) => {
                    // Whoever speaks something else, such as plain HTTP, ends here all day.
                    tracing::debug!(edge = %self.name, %error, "TLS handshake failed");
                    self.hang_up(stream).await;
                    ("failed", None)
                }
            },
            () = self.clock.sleep_ms(self.ms_max) => ("late", None),
            () = draining => ("dropped", None),
        };
        drop((pending, place));
        self.tls.metrics.count(self.name, outcome);
        shaken
    }

    /// Closes cleanly: with unread input left the system would reset the connection, and the alert
    /// that tells the caller why would be lost.
    async fn hang_up(&self, mut stream: TcpStream) {
        let reading = async {
            stream.shutdown().await?;
            let mut rest = stream.take(HANG_UP_BYTES_MAX);
            tokio::io::copy(&mut rest, &mut tokio::io::sink()).await?;
            io::Result::Ok(())
        };
        tokio::select! {
            _ = reading => {}
            () = self.clock.sleep_ms(HANG_UP_MS_MAX) => {}
        }
    }
}
