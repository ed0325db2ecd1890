//! Connections of clients, plain or over TLS, and who vouches for the server.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Both directions of a connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Duplex for T {}

/// A connection, plain or over TLS.
pub type Wire = Box<dyn Duplex>;
/// What a client checks a server by.
pub type Trust = Arc<ClientConfig>;

/// Connects from an address; over TLS, where the client trusts somebody.
pub async fn dial(source: &str, address: SocketAddr, trust: Option<&Trust>) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    wire(connect(socket, source, address).await, trust).await
}

/// The same with little room to receive, so that one who does not read is soon noticed.
pub async fn dial_narrow(source: &str, address: SocketAddr, trust: Option<&Trust>) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8_192).unwrap();
    wire(connect(socket, source, address).await, trust).await
}

async fn wire(stream: TcpStream, trust: Option<&Trust>) -> Wire {
    match trust {
        None => Box::new(stream),
        Some(trust) => Box::new(secured(stream, trust).await.unwrap()),
    }
}

async fn connect(socket: TcpSocket, source: &str, address: SocketAddr) -> TcpStream {
    let source = SocketAddr::new(source.parse().unwrap(), 0);
    socket.bind(source).unwrap();
    socket.connect(address).await.unwrap()
}

/// Shakes hands on a connection.
pub async fn secured(stream: TcpStream, trust: &Trust) -> std::io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::clone(trust))
        .connect(name, stream)
        .await
}

/// Somebody who issues certificates, and keeps the newest in two files.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    /// One who has issued a certificate already.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let authority = Self { issuer, folder };
        authority.renew(|_| {});
        authority
    }

    /// Issues a certificate for this machine, not yet in the files: its PEM form and its key's.
    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Puts a new certificate and its key into the files.
    pub fn renew(&self, change: impl FnOnce(&mut CertificateParams)) {
        let (certificate, key) = self.issue(change);
        fs::write(self.certificate(), certificate).unwrap();
        fs::write(self.key(), key).unwrap();
    }

    /// The file of the certificate.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("certificate.pem")
    }

    /// The file of the key.
    pub fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// A client that trusts this authority.
    pub fn trust(&self) -> Trust {
        Arc::new(self.client(rustls::ALL_VERSIONS))
    }

    /// The same with some versions of TLS only.
    pub fn client(&self, versions: &[&'static rustls::SupportedProtocolVersion]) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    }

    /// The certificate that a server shows to a client that has never been there.
    pub async fn shown(&self, address: SocketAddr) -> CertificateDer<'static> {
        let stream = TcpStream::connect(address).await.unwrap();
        let stream = secured(stream, &self.trust()).await.unwrap();
        let chain = stream.get_ref().1.peer_certificates().unwrap();
        chain[0].clone().into_owned()
    }
}
