//! TLS on a socket that whoever sends writes to.
//!
//! What is written is encrypted first, and the socket may not take all of that: the rest is owed. A
//! session counts it as waiting, so a peer that reads too slowly is found out as on plain TCP.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crowdlink_store::Clock;
use parking_lot::Mutex;
use rustls::ServerConnection;
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::io::{read_some, write_some};

/// A TLS connection whose handshake is done. An idle one keeps 4 KiB to read into.
#[derive(Debug)]
pub struct Secure {
    stream: TcpStream,
    tls: Mutex<ServerConnection>,
    /// Since when encrypted bytes wait for the socket; `u64::MAX` if none do.
    owes_since_ms: AtomicU64,
    clock: Arc<dyn Clock>,
}

impl Secure {
    /// Takes a connection over from HTTP, with what was decrypted and not read there.
    pub fn new(stream: TlsStream<TcpStream>, clock: Arc<dyn Clock>) -> (Self, Vec<u8>) {
        let (stream, mut tls) = stream.into_inner();
        let mut rest = Vec::new();
        // Ends with an error where there is no more for now.
        let _ = tls.reader().read_to_end(&mut rest);
        let secure = Self {
            stream,
            tls: Mutex::new(tls),
            owes_since_ms: AtomicU64::new(u64::MAX),
            clock,
        };
        (secure, rest)
    }

    pub(super) fn socket(&self) -> &TcpStream {
        &self.stream
    }

    /// Reads what is there; 0 is the end, announced or not: a WebSocket has an end of its own.
    /// `buffer` must hold more than one record, for nothing is left behind.
    pub(super) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut tls = self.tls.lock();
        let came = tls.read_tls(&mut Socket(&self.stream))?;
        let state = tls
            .process_new_packets()
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        let mut count = 0;
        while let Some(space) = buffer.get_mut(count..).filter(|space| !space.is_empty()) {
            match tls.reader().read(space) {
                Ok(0) | Err(_) => break,
                Ok(more) => count += more,
            }
        }
        match count {
            0 if came == 0 || state.peer_has_closed() => Ok(0),
            // Part of a record, or one without data.
            0 => Err(ErrorKind::WouldBlock.into()),
            count => Ok(count),
        }
    }

    /// Takes what there is room for, once nothing is owed any more.
    pub(super) fn try_write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut tls = self.tls.lock();
        if !self.pay(&mut tls)? {
            return Err(ErrorKind::WouldBlock.into());
        }
        let taken = tls.writer().write_vectored(slices)?;
        self.pay(&mut tls)?;
        Ok(taken)
    }

    pub(super) fn try_flush(&self) -> io::Result<bool> {
        self.pay(&mut self.tls.lock())
    }

    pub(super) fn owes_since_ms(&self) -> u64 {
        self.owes_since_ms.load(Ordering::Acquire)
    }

    /// Tells the peer that nothing follows, if the socket takes it at once.
    pub(super) fn say_goodbye(&self) {
        let mut tls = self.tls.lock();
        tls.send_close_notify();
        let _ = self.pay(&mut tls);
    }

    /// Writes what is owed, and tells whether that was all.
    fn pay(&self, tls: &mut ServerConnection) -> io::Result<bool> {
        while tls.wants_write() {
            match tls.write_tls(&mut Socket(&self.stream)) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    let now_ms = self.clock.monotonic_ms();
                    self.owes_since_ms.fetch_min(now_ms, Ordering::AcqRel);
                    return Ok(false);
                }
                Err(error) => return Err(error),
            }
        }
        self.owes_since_ms.store(u64::MAX, Ordering::Release);
        Ok(true)
    }
}

/// The socket as the TLS library wants it.
struct Socket<'a>(&'a TcpStream);

impl Read for Socket<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        read_some(self.0, buffer)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_some(self.0, &[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        write_some(self.0, slices)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::net::SocketAddr;

    use crowdlink_store::ManualClock;
    use rustls::pki_types::{PrivateKeyDer, ServerName};
    use rustls::{ClientConfig, RootCertStore, ServerConfig};
    use tokio::net::TcpListener;
    use tokio_rustls::{TlsAcceptor, TlsConnector, client};

    use super::*;
    use crate::live::{Flow, Frame, Handler, Live, LiveLimits, Message, Session};

    struct Deaf;

    impl Handler for Deaf {
        fn message(&mut self, _: Message<'_>, _: &Arc<Session>) -> impl Future<Output = Flow> {
            ready(Flow::Continue)
        }
    }

    /// Both ends of a connection over TLS, and where the client is.
    async fn ends() -> (
        TlsStream<TcpStream>,
        client::TlsStream<TcpStream>,
        SocketAddr,
    ) {
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::try_from(issued.signing_key.serialize_der()).unwrap();
        let chain = vec![issued.cert.der().clone()];
        let mut roots = RootCertStore::empty();
        roots.add(issued.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let dialing = TcpStream::connect(listener.local_addr().unwrap()).await;
        let (accepted, peer) = listener.accept().await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let (here, there) = tokio::join!(
            TlsAcceptor::from(Arc::new(server)).accept(accepted),
            TlsConnector::from(Arc::new(client)).connect(name, dialing.unwrap()),
        );
        (here.unwrap(), there.unwrap(), peer)
    }

    /// The queue is empty then, for TLS has taken the frame.
    #[tokio::test]
    async fn what_is_encrypted_and_not_out_counts_as_waiting() {
        let clock = ManualClock::new(0);
        let live = Live::start(clock.clone(), LiveLimits::default());
        let (here, _there, peer) = ends().await;
        let (secure, rest) = Secure::new(here, clock.clone());
        assert_eq!(rest, b"");
        let session = live.open(secure, &[], peer, Deaf);
        let frame = Frame::text(&"x".repeat(4_000));
        let mut sent = 0;
        while session.io.owes_since_ms() == u64::MAX {
            assert!(session.send(&frame), "it takes all for ever");
            clock.advance_ms(1);
            tokio::task::yield_now().await;
            sent += 1;
            assert!(sent < 100_000);
        }
        assert_eq!(session.queued_bytes(), 0);
        let behind_ms_max = live.limits().behind_ms_max;
        while session.is_open() {
            clock.advance_ms(250);
            tokio::task::yield_now().await;
            let waited_ms = clock.monotonic_ms() - u64::try_from(sent).unwrap();
            assert!(waited_ms < behind_ms_max + 1_000, "it is never closed");
        }
        let waited_ms = clock.monotonic_ms() - u64::try_from(sent).unwrap();
        assert!(
            waited_ms + 1 >= behind_ms_max,
            "closed after {waited_ms} ms"
        );
    }
}
