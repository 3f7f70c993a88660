//! What the configuration says about tokens, and what is worth a warning in it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Below this an HS256 secret can be guessed offline from one token (RFC 7518, 3.2).
pub(super) const MIN_SECRET_BYTES: usize = 32;

pub use crate::config::Secret;

use super::claims::LEEWAY;

/// Which tokens are believed. The default believes none.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Signs the server's own tokens.
    pub own_secret: Option<Secret>,
    /// HS256 secret shared with the application's backend.
    pub hs256_secret: Option<Secret>,
    /// PEM files of public keys, read again when they change.
    pub public_keys: Vec<PublicKeyFile>,
    pub jwks: Option<JwksSettings>,
    /// When not empty, `iss` of a foreign token has to be one of these.
    pub issuers: Vec<String>,
    /// When not empty, `aud` of a foreign token has to name one of these.
    pub audiences: Vec<String>,
    /// How far the clocks of an issuer and of this server may differ.
    pub leeway: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            own_secret: None,
            hs256_secret: None,
            public_keys: Vec::new(),
            jwks: None,
            issuers: Vec::new(),
            audiences: Vec::new(),
            leeway: LEEWAY,
        }
    }
}

/// A PEM file with one or more `PUBLIC KEY` blocks.
#[derive(Debug, Clone)]
pub struct PublicKeyFile {
    pub path: PathBuf,
    /// When given, only tokens with this `kid`, or with none, are tried on the file's keys.
    pub key_id: Option<String>,
}

impl From<PathBuf> for PublicKeyFile {
    fn from(path: PathBuf) -> Self {
        Self { path, key_id: None }
    }
}

/// One set of keys, fetched by https.
#[derive(Debug, Clone)]
pub struct JwksSettings {
    pub url: String,
    /// When given, tokens of these keys need exactly this `iss`.
    pub issuer: Option<String>,
    /// Trusted besides the roots of the operating system.
    pub ca_file: Option<PathBuf>,
    /// How often the set is fetched when nobody asks: keys that were withdrawn stop working
    /// within this time.
    pub refresh_every: Duration,
    /// An unknown `kid` makes a fetch at most this often, or anybody could make us flood the
    /// issuer with made-up ids.
    pub min_refetch_interval: Duration,
    /// For the whole fetch; a handshake waits no longer than this for a key.
    pub timeout: Duration,
}

impl Default for JwksSettings {
    fn default() -> Self {
        Self {
            url: String::new(),
            issuer: None,
            ca_file: None,
            refresh_every: Duration::from_secs(300),
            min_refetch_interval: Duration::from_secs(30),
            timeout: Duration::from_secs(3),
        }
    }
}

/// Something that works and should still be changed before others depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warning {
    ShortOwnSecret,
    ShortSharedSecret,
    /// Whoever has the shared secret can then make tokens that look like the server's own.
    SameSecrets,
    NoKeys,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ShortOwnSecret => "the secret of the server's own tokens is shorter than 32 bytes",
            Self::ShortSharedSecret => "the shared HS256 secret is shorter than 32 bytes",
            Self::SameSecrets => {
                "the server's own secret equals the shared one: who knows it can make own tokens"
            }
            Self::NoKeys => "no key is configured: every token is refused",
        })
    }
}

impl Settings {
    pub fn warnings(&self) -> Vec<Warning> {
        let short = |s: &Option<Secret>| s.as_ref().is_some_and(|s| s.expose().len() < MIN_SECRET_BYTES);
        let mut warnings = Vec::new();
        if short(&self.own_secret) {
            warnings.push(Warning::ShortOwnSecret);
        }
        if short(&self.hs256_secret) {
            warnings.push(Warning::ShortSharedSecret);
        }
        if self.own_secret.is_some() && self.own_secret == self.hs256_secret {
            warnings.push(Warning::SameSecrets);
        }
        let none = self.own_secret.is_none() && self.hs256_secret.is_none();
        if none && self.public_keys.is_empty() && self.jwks.is_none() {
            warnings.push(Warning::NoKeys);
        }
        warnings
    }
}
