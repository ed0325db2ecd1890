//! TLS for a measurement: a certificate of its own, and clients that trust nothing else.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use anyhow::Result;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::socket;

/// A client's connection over TLS.
pub(crate) type SecureStream = StreamOwned<ClientConnection, TcpStream>;

/// A certificate in files, and who trusts it.
pub(crate) struct Secure {
    flags: [String; 2],
    trust: Arc<ClientConfig>,
    _folder: TempDir,
}

impl Secure {
    /// With a key of now.
    pub(crate) fn new() -> Result<Self> {
        let issued = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let folder = tempfile::tempdir()?;
        let put = |flag: &str, text: String| -> Result<String> {
            let path = folder.path().join(flag);
            fs::write(&path, text)?;
            Ok(format!("--{flag}={}", path.display()))
        };
        let flags = [
            put("tls-certificate", issued.cert.pem())?,
            put("tls-key", issued.signing_key.serialize_pem())?,
        ];
        let mut roots = RootCertStore::empty();
        roots.add(issued.cert.der().clone())?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trust = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            flags,
            trust: Arc::new(trust),
            _folder: folder,
        })
    }

    /// The settings of the server.
    pub(crate) fn flags(&self) -> impl Iterator<Item = &str> {
        self.flags.iter().map(String::as_str)
    }

    /// Connects as number `index`.
    pub(crate) fn connect(&self, to: SocketAddr, index: usize) -> Result<SecureStream> {
        let stream = socket::connect(to, index)?;
        let name = ServerName::from(to.ip());
        let client = ClientConnection::new(Arc::clone(&self.trust), name)?;
        Ok(StreamOwned::new(client, stream))
    }
}
