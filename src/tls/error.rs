//! Why certificates or keys cannot be used.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} is not PEM: {source}")]
    NotPem { path: PathBuf, source: rustls_pki_types::pem::Error },
    #[error("{path} holds no certificate")]
    NoCertificate { path: PathBuf },
    #[error("{path} holds no private key")]
    NoPrivateKey { path: PathBuf },
    #[error("{path}: not a usable certificate authority: {source}")]
    BadAuthority { path: PathBuf, source: rustls::Error },
    #[error("neither the operating system nor the configuration names a certificate authority")]
    NoAuthorities,
    #[error("the certificate and the private key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}
