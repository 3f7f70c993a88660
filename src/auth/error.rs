//! Why a token is refused, and why the keys of the configuration cannot be used.

use std::io;
use std::path::PathBuf;

/// Why a token is refused. Never holds any part of the token, so it may be logged and counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    #[error("the token is not a well-formed JWT")]
    Malformed,
    #[error("the token's signature does not match its key")]
    BadSignature,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("the token is from another issuer")]
    WrongIssuer,
    #[error("the token is for another audience")]
    WrongAudience,
    #[error("the token's algorithm is not that of a key known here")]
    AlgorithmMismatch,
    #[error("the token names a key that is not known here")]
    UnknownKey,
    /// The keys could not be fetched: the token may be good, try again.
    #[error("the keys to check the token are not available right now")]
    KeysUnavailable,
    #[error("the token has no exp")]
    MissingExpiry,
    #[error("the token's sub is not a user id of 1 to 64 characters")]
    BadSubject,
}

impl TokenError {
    /// A short word for logs and counters that stays the same across versions.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::BadSignature => "bad_signature",
            Self::Expired => "expired",
            Self::NotYetValid => "not_yet_valid",
            Self::WrongIssuer => "wrong_issuer",
            Self::WrongAudience => "wrong_audience",
            Self::AlgorithmMismatch => "algorithm_mismatch",
            Self::UnknownKey => "unknown_key",
            Self::KeysUnavailable => "keys_unavailable",
            Self::MissingExpiry => "missing_expiry",
            Self::BadSubject => "bad_subject",
        }
    }

    /// Whether the same token may be accepted a little later without anybody changing it.
    pub fn is_retryable(self) -> bool {
        self == Self::KeysUnavailable
    }
}

/// Why a [`super::Verifier`] cannot be made from its settings.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("cannot read the public key file {path}: {source}")]
    ReadKeyFile { path: PathBuf, source: io::Error },
    #[error("{path}: {problem}")]
    BadKeyFile { path: PathBuf, problem: KeyProblem },
    #[error("the JWKS URL has to begin with https://")]
    JwksNotHttps,
    #[error("the JWKS client cannot be made: {0}")]
    JwksClient(#[from] reqwest::Error),
    #[error(transparent)]
    Tls(#[from] crate::tls::TlsError),
    #[error("an HS256 secret is empty")]
    EmptySecret,
}

/// What is wrong with the contents of a key file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyProblem {
    #[error("no PEM block `PUBLIC KEY` (certificates and `RSA PUBLIC KEY` have to be converted)")]
    NoPublicKey,
    #[error("this is a private key; give the public one only")]
    PrivateKey,
    #[error("not PEM")]
    NotPem,
    #[error("neither an RSA, a P-256 nor an Ed25519 key")]
    UnsupportedKey,
    #[error("an RSA key below 2048 or above 8192 bits")]
    RsaSize,
    #[error("more than {} keys", super::key::MAX_KEYS)]
    TooManyKeys,
}
