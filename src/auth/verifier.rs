//! From a token to who it is: choosing the key, checking the signature, then the claims.

use std::time::SystemTime;

use super::claims::{Claims, Expected, TokenKind};
use super::compact::Compact;
use super::error::{SetupError, TokenError};
use super::issuer::OWN_KEY_ID;
use super::key::{Algorithm, Key};
use super::settings::{Secret, Settings, Warning};

/// Checks tokens against the configured keys.
pub struct Verifier {
    own: Option<Key>,
    shared: Option<Key>,
    issuers: Vec<String>,
    audiences: Vec<String>,
}

impl Verifier {
    /// # Errors
    /// When a key of the settings cannot be used.
    pub fn new(settings: &Settings) -> Result<(Self, Vec<Warning>), SetupError> {
        let verifier = Self {
            own: secret_key(settings.own_secret.as_ref())?,
            shared: secret_key(settings.hs256_secret.as_ref())?,
            issuers: settings.issuers.clone(),
            audiences: settings.audiences.clone(),
        };
        Ok((verifier, settings.warnings()))
    }

    /// # Errors
    /// The reason of the refusal; only `KeysUnavailable` may pass by itself.
    pub fn verify_cached(&self, token: &str, now: SystemTime) -> Result<Claims, TokenError> {
        let token = Compact::split(token)?;
        let kind = self.authenticate(&token)?;
        let expected = Expected { issuers: &self.issuers, audiences: &self.audiences, issuer_of_key: None };
        Claims::check(&token.payload()?, kind, &expected, now)
    }

    /// Finds the one kind of key that the header asks for, and checks the signature with it.
    fn authenticate(&self, token: &Compact<'_>) -> Result<TokenKind, TokenError> {
        let header = token.header()?;
        let algorithm = Algorithm::from_name(&header.alg).ok_or(TokenError::AlgorithmMismatch)?;
        let key_id = header.kid.as_ref().map(|kid| &*kid.0);
        let (key, kind) = match (&self.own, &self.shared) {
            (Some(own), _) if key_id == Some(OWN_KEY_ID) => (own, TokenKind::Own),
            (_, Some(shared)) => (shared, TokenKind::SharedSecret),
            _ => return Err(TokenError::AlgorithmMismatch),
        };
        if key.algorithm != algorithm {
            return Err(TokenError::AlgorithmMismatch);
        }
        key.verify(token.message, &token.signature)?;
        Ok(kind)
    }
}

fn secret_key(secret: Option<&Secret>) -> Result<Option<Key>, SetupError> {
    match secret.map(Secret::expose) {
        Some("") => Err(SetupError::EmptySecret),
        secret => Ok(secret.map(|secret| Key::from_secret(secret.as_bytes()))),
    }
}
