//! The server's own tokens: sessions of built-in accounts, development, narrow purposes.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use uuid::Uuid;

use super::claims::{unix_ms, valid_device_id, valid_user_id};
use super::settings::Secret;

/// `iss` of the server's own tokens.
pub const OWN_ISSUER: &str = "tidings";

/// `kid` of the server's own tokens, so that they are never tried on another key.
pub const OWN_KEY_ID: &str = "own";

/// What a token is to say.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    pub user_id: &'a str,
    pub session_id: Option<Uuid>,
    pub device_id: Option<&'a str>,
    /// Narrows the token to one purpose, as `ack` for a notification extension.
    pub scope: Option<&'a str>,
    pub lifetime: Duration,
}

impl<'a> Grant<'a> {
    /// A token that may do everything its user may.
    pub fn new(user_id: &'a str, lifetime: Duration) -> Self {
        Self { user_id, session_id: None, device_id: None, scope: None, lifetime }
    }

    pub fn session(self, id: Uuid) -> Self {
        Self { session_id: Some(id), ..self }
    }

    pub fn device(self, id: &'a str) -> Self {
        Self { device_id: Some(id), ..self }
    }

    pub fn scope(self, scope: &'a str) -> Self {
        Self { scope: Some(scope), ..self }
    }
}

/// A fresh token. `Debug` does not show it.
pub struct Minted {
    pub token: String,
    /// Unix seconds.
    pub expires_at: u64,
}

impl std::fmt::Debug for Minted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Minted").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// What cannot be put into a token, because no verifier would take it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MintError {
    #[error("a user id has 1 to 64 characters and no control characters")]
    BadUserId,
    #[error("a device id has 1 to 64 characters and no control characters")]
    BadDeviceId,
    #[error("an empty scope would not narrow the token")]
    EmptyScope,
}

/// Signs the server's own tokens (HS256).
pub struct Issuer {
    key: hmac::Key,
    /// The header never changes, so it is encoded once.
    header: String,
}

#[derive(Serialize)]
struct OwnClaims<'a> {
    iss: &'static str,
    sub: &'a str,
    /// Milliseconds as the fraction, so that a revocation tells tokens of one second apart.
    iat: f64,
    exp: u64,
    jti: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
}

impl Issuer {
    pub fn new(secret: &Secret) -> Self {
        let header = format!(r#"{{"typ":"JWT","alg":"HS256","kid":"{OWN_KEY_ID}"}}"#);
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes()),
            header: URL_SAFE_NO_PAD.encode(header),
        }
    }

    /// Makes a token that is valid from `now` on for the grant's lifetime, rounded up to seconds.
    ///
    /// # Errors
    /// When the grant names something that a [`super::Verifier`] would refuse.
    pub fn mint(&self, grant: &Grant<'_>, now: SystemTime) -> Result<Minted, MintError> {
        if !valid_user_id(grant.user_id) {
            return Err(MintError::BadUserId);
        }
        if grant.device_id.is_some_and(|id| !valid_device_id(id)) {
            return Err(MintError::BadDeviceId);
        }
        if grant.scope == Some("") {
            return Err(MintError::EmptyScope);
        }
        let issued_ms = unix_ms(now);
        let lifetime_ms = u64::try_from(grant.lifetime.as_millis()).unwrap_or(u64::MAX);
        let expires_at = issued_ms.saturating_add(lifetime_ms).div_ceil(1000);
        let claims = OwnClaims {
            iss: OWN_ISSUER,
            sub: grant.user_id,
            iat: issued_ms as f64 / 1000.0,
            exp: expires_at,
            jti: Uuid::new_v4(),
            sid: grant.session_id,
            device_id: grant.device_id,
            scope: grant.scope,
        };
        let payload = serde_json::to_vec(&claims).expect("a struct of strings and numbers is JSON");
        let mut token = String::with_capacity(self.header.len() + payload.len() * 4 / 3 + 48);
        token.push_str(&self.header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(payload, &mut token);
        let signature = hmac::sign(&self.key, token.as_bytes());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(Minted { token, expires_at })
    }
}
