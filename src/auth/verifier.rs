//! From a token to who it is: choosing the key, checking the signature, then the claims.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use super::claims::{Claims, Expected, TokenKind};
use super::compact::Compact;
use super::error::{SetupError, TokenError};
use super::issuer::OWN_KEY_ID;
use super::jwks::Jwks;
use super::key::{Algorithm, Key};
use super::key_files::KeyFiles;
use super::settings::{Secret, Settings, Warning};

/// Checks tokens against the configured keys.
pub struct Verifier {
    own: Option<Key>,
    shared: Option<Key>,
    files: Arc<KeyFiles>,
    jwks: Option<Jwks>,
    issuers: Vec<String>,
    audiences: Vec<String>,
    leeway: Duration,
}

impl Verifier {
    /// Reads the key files (blocking). Keys of a JWKS URL come once [`Self::run`] runs.
    ///
    /// # Errors
    /// When a key of the settings cannot be used.
    pub fn new(settings: &Settings) -> Result<(Self, Vec<Warning>), SetupError> {
        let verifier = Self {
            own: secret_key(settings.own_secret.as_ref())?,
            shared: secret_key(settings.hs256_secret.as_ref())?,
            files: Arc::new(KeyFiles::load(&settings.public_keys)?),
            jwks: settings.jwks.as_ref().map(Jwks::new).transpose()?,
            issuers: settings.issuers.clone(),
            audiences: settings.audiences.clone(),
            leeway: settings.leeway,
        };
        Ok((verifier, settings.warnings()))
    }

    /// Watches key files and the JWKS URL until `shutdown`. To be run once, as a task; without
    /// any it returns at once.
    pub async fn run(&self, shutdown: CancellationToken) {
        let jwks = async {
            if let Some(jwks) = &self.jwks {
                jwks.run(&shutdown).await;
            }
        };
        tokio::join!(self.files.run(&shutdown), jwks);
    }

    /// Checks a token, and when it names a key that the JWKS URL may have added since, waits for
    /// that to be fetched: at most [`super::JwksSettings::timeout`]. Cancel-safe.
    ///
    /// # Errors
    /// The reason of the refusal; only `KeysUnavailable` may pass by itself.
    pub async fn verify(&self, token: &str, now: SystemTime) -> Result<Claims, TokenError> {
        match (self.verify_cached(token, now), &self.jwks) {
            (Err(TokenError::UnknownKey | TokenError::KeysUnavailable), Some(jwks)) => {
                let waited = jwks.newer().await;
                // Asked again even when nobody fetched: a fetch may have ended just before.
                match self.verify_cached(token, now) {
                    Err(TokenError::UnknownKey | TokenError::KeysUnavailable) => {
                        Err(waited.err().unwrap_or(TokenError::UnknownKey))
                    }
                    result => result,
                }
            }
            (result, _) => result,
        }
    }

    /// Checks a token with the keys at hand; never waits.
    ///
    /// # Errors
    /// As [`Self::verify`], and `UnknownKey` or `KeysUnavailable` where that would have waited.
    pub fn verify_cached(&self, token: &str, now: SystemTime) -> Result<Claims, TokenError> {
        let token = Compact::split(token)?;
        let kind = self.authenticate(&token)?;
        let of_key = self.jwks.as_ref().and_then(Jwks::issuer);
        let expected = Expected {
            issuers: &self.issuers,
            audiences: &self.audiences,
            issuer_of_key: of_key.filter(|_| kind == TokenKind::Jwks),
            leeway: self.leeway,
        };
        Claims::check(&token.payload()?, kind, &expected, now)
    }

    /// How far the clocks of an issuer and of this server may differ.
    pub fn leeway(&self) -> Duration {
        self.leeway
    }

    /// Reads the key files now instead of when their turn comes (blocking).
    pub fn reload_key_files(&self) {
        self.files.reload();
    }

    /// Finds the one kind of key that the header asks for, and checks the signature with it. The
    /// kinds never overlap in algorithm, but for the two secrets, which `kid` tells apart: so a
    /// public key is never taken for a secret.
    fn authenticate(&self, token: &Compact<'_>) -> Result<TokenKind, TokenError> {
        let header = token.header()?;
        let algorithm = Algorithm::from_name(&header.alg).ok_or(TokenError::AlgorithmMismatch)?;
        let key_id = header.kid.as_ref().map(|kid| &*kid.0);
        let (secret, kind) = match &self.own {
            Some(own) if key_id == Some(OWN_KEY_ID) => (Some(own), TokenKind::Own),
            _ => (self.shared.as_ref(), TokenKind::SharedSecret),
        };
        if algorithm == Algorithm::Hs256 {
            let secret = secret.ok_or(TokenError::AlgorithmMismatch)?;
            secret.verify(token.message, &token.signature)?;
            return Ok(kind);
        }
        if kind == TokenKind::Own {
            return Err(TokenError::AlgorithmMismatch);
        }
        let by_file = self.authenticate_by_file(token, key_id, algorithm);
        match (by_file, &self.jwks) {
            (Err(_), Some(jwks)) => {
                let keys = jwks.current();
                let keys = keys.as_ref().ok_or(TokenError::KeysUnavailable)?;
                keys.find(key_id, algorithm)?.verify(token.message, &token.signature)?;
                Ok(TokenKind::Jwks)
            }
            (by_file, _) => by_file.map(|()| TokenKind::PublicKey),
        }
    }

    /// Tries the few keys of that algorithm whose id does not rule them out.
    fn authenticate_by_file(
        &self,
        token: &Compact<'_>,
        key_id: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<(), TokenError> {
        let files = self.files.current();
        let mut refusal = TokenError::AlgorithmMismatch;
        for key in files.iter().flat_map(|keys| keys.iter()) {
            let ruled_out = matches!((&key.id, key_id), (Some(a), Some(b)) if a != b);
            if ruled_out {
                if refusal == TokenError::AlgorithmMismatch && key.algorithm == algorithm {
                    refusal = TokenError::UnknownKey;
                }
            } else if key.algorithm == algorithm {
                match key.verify(token.message, &token.signature) {
                    Ok(()) => return Ok(()),
                    Err(error) => refusal = error,
                }
            }
        }
        Err(refusal)
    }
}

fn secret_key(secret: Option<&Secret>) -> Result<Option<Key>, SetupError> {
    match secret.map(Secret::expose) {
        Some("") => Err(SetupError::EmptySecret),
        secret => Ok(secret.map(|secret| Key::from_secret(secret.as_bytes()))),
    }
}
