//! A certificate and its key, from files to what a handshake needs.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use rustls::crypto::aws_lc_rs::{Ticketer, default_provider};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{Error, InconsistentKeys, ServerConfig};

use super::error::{FileKind, TlsError};
use super::validity::Validity;

/// Largest file of certificates or of a key, in bytes. Clients refuse longer chains.
pub(super) const FILE_BYTES_MAX: u64 = 65_536;

/// Where the two files are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

/// What both files held, before it is looked at.
pub(super) struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// A certificate and key that belong together.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub(super) config: Arc<ServerConfig>,
    pub(super) validity: Validity,
    /// Tells what was in the files without keeping it.
    pub(super) digest: [u8; 32],
}

impl Files {
    /// Reads both files as they are now. Links are followed each time, so that a tool may swap
    /// them.
    pub(super) fn read(&self) -> Result<Contents, TlsError> {
        let read = |kind, path: &Path| {
            read_bounded(path).map_err(|error| file_error(kind, path, error.to_string()))
        };
        Ok(Contents {
            certificate: read(FileKind::Certificate, &self.certificate)?,
            key: read(FileKind::Key, &self.key)?,
        })
    }

    /// Makes them a pair.
    pub(super) fn pair(&self, contents: &Contents) -> Result<Pair, TlsError> {
        let chain = chain(&contents.certificate)
            .map_err(|why| file_error(FileKind::Certificate, &self.certificate, why))?;
        let key =
            private_key(&contents.key).map_err(|why| file_error(FileKind::Key, &self.key, why))?;
        let validity = chain.first().and_then(|first| Validity::of(first));
        let validity = validity.ok_or_else(|| {
            let why = "its first certificate is damaged".to_owned();
            file_error(FileKind::Certificate, &self.certificate, why)
        })?;
        let provider = default_provider();
        let signing = provider.key_provider.load_private_key(key).map_err(|_| {
            let why = "not a key that can sign here: RSA, ECDSA or Ed25519 is".to_owned();
            file_error(FileKind::Key, &self.key, why)
        })?;
        let certified = CertifiedKey::new(chain, signing);
        match certified.keys_match() {
            Ok(()) => {}
            Err(Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                return Err(TlsError::Mismatch {
                    certificate: self.certificate.clone(),
                    key: self.key.clone(),
                });
            }
            Err(error) => {
                let (kind, path) = (FileKind::Certificate, &self.certificate);
                return Err(file_error(kind, path, error.to_string()));
            }
        }
        let config = config(certified)
            .map_err(|error| file_error(FileKind::Key, &self.key, error.to_string()))?;
        Ok(Pair {
            config: Arc::new(config),
            validity,
            digest: contents.digest(),
        })
    }
}

impl Contents {
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = Context::new(&SHA256);
        context.update(&self.certificate);
        // A byte that moves from one file to the other is a change too.
        context.update(&self.certificate.len().to_be_bytes());
        context.update(&self.key);
        let mut digest = [0; 32];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

fn file_error(kind: FileKind, path: &Path, why: String) -> TlsError {
    let path = path.to_owned();
    TlsError::File { kind, path, why }
}

fn read_bounded(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let why = format!("larger than {FILE_BYTES_MAX} bytes");
        return Err(io::Error::other(why));
    }
    Ok(bytes)
}

fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err("it holds no certificate in PEM form".to_owned()),
        Ok(chain) => Ok(chain),
        Err(_) => Err("its PEM form is damaged".to_owned()),
    }
}

/// The error of the library may repeat what it read, so it is not shown.
fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let encrypted = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
    PrivateKeyDer::from_pem_slice(text).map_err(|error| {
        if text.windows(encrypted.len()).any(|part| part == encrypted) {
            "it is encrypted, and there is nobody to ask for its password".to_owned()
        } else if matches!(error, pem::Error::NoItemsFound) {
            "it holds no private key in PEM form".to_owned()
        } else {
            "its PEM form is damaged".to_owned()
        }
    })
}

fn config(certified: CertifiedKey) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13, &TLS12])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    // Who comes back is spared the signature, and nothing is kept for those who do not.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.ticketer = Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(config)
}
