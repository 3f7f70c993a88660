use std::net::SocketAddr;
use std::path::PathBuf;

/// Why the fakes cannot start.
#[derive(Debug, thiserror::Error)]
pub enum FakeError {
    #[error("cannot listen on {address}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("cannot make a certificate")]
    Certificate(#[from] rcgen::Error),
    #[error("cannot set up TLS")]
    Tls(#[from] rustls::Error),
    #[error("cannot verify client certificates")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    #[error("cannot use a generated key for tokens")]
    Key(#[from] jsonwebtoken::errors::Error),
    #[error("cannot make a key pair")]
    KeyPair(#[from] aws_lc_rs::error::Unspecified),
}
