//! Why TLS cannot be served, in words for the operator. Nothing of a key is ever repeated.

use std::fmt;
use std::path::PathBuf;

use super::validity::readable;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    /// The certificate and those of its issuers.
    Certificate,
    /// The private key.
    Key,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "TLS certificate",
            Self::Key => "TLS key",
        })
    }
}

/// Why a certificate and its key cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub enum TlsError {
    /// One of the two settings is there without the other.
    Half {
        /// The setting that is there.
        given: &'static str,
        /// The one that is not.
        missing: &'static str,
    },
    /// A file that cannot be used.
    File {
        /// Which one.
        kind: FileKind,
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The key is another certificate's.
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// A new certificate that is not valid now.
    NotValid {
        /// The file of the certificate.
        path: PathBuf,
        /// From when on it is valid, in Unix ms.
        from_ms: i64,
        /// Until when, in Unix ms.
        until_ms: i64,
    },
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Half { given, missing } => {
                write!(f, "{given} is set and {missing} is not; TLS needs both")
            }
            Self::File { kind, path, why } => {
                write!(f, "cannot use the {kind} {}: {why}", path.display())
            }
            Self::Mismatch { certificate, key } => write!(
                f,
                "the TLS key {} does not belong to the certificate {}",
                key.display(),
                certificate.display()
            ),
            Self::NotValid {
                path,
                from_ms,
                until_ms,
            } => write!(
                f,
                "the TLS certificate {} is valid from {} to {}, not now",
                path.display(),
                readable(*from_ms),
                readable(*until_ms)
            ),
        }
    }
}

impl std::error::Error for TlsError {}
