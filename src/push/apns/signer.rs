//! Provider tokens: ES256 over the team and the moment of signing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use crate::push::provider::{Clock, ProviderError, Source, Watched};

/// Apple refuses tokens older than an hour, and senders that renew more often than every 20 minutes.
const RENEW_AFTER: Duration = Duration::from_secs(50 * 60);
const RENEW_AT_MOST_EVERY: Duration = Duration::from_secs(20 * 60);

/// Signs provider tokens. All connections share the present one, because Apple counts renewals.
pub(super) struct Signer {
    key: Watched<SigningKey>,
    team_id: String,
    clock: Clock,
    issued: Mutex<Issued>,
}

#[derive(Default)]
struct Issued {
    token: Option<Token>,
    /// When a token was last replaced early, because Apple had refused it.
    replaced_at: Option<SystemTime>,
}

struct Token {
    text: Arc<str>,
    at: SystemTime,
    key: Arc<SigningKey>,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: u64,
}

impl Signer {
    pub fn open(key: Source, key_id: Source, team_id: String, clock: Clock) -> Result<Self, ProviderError> {
        let key = Watched::open(vec![key, key_id], SigningKey::parse)?;
        Ok(Self { key, team_id, clock, issued: Mutex::default() })
    }

    /// The present token; signs one when there is none, when it is old, or when the key was rotated.
    pub fn token(&self) -> Result<Arc<str>, ProviderError> {
        let key = self.key.get();
        let now = (self.clock)();
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = &issued.token
            && Arc::ptr_eq(&token.key, &key)
            && age(token.at, now) < RENEW_AFTER
        {
            return Ok(Arc::clone(&token.text));
        }
        let token = self.sign(key, now)?;
        let text = Arc::clone(&token.text);
        issued.token = Some(token);
        Ok(text)
    }

    /// Replaces the token that Apple refused. Many requests may be refused with the same token:
    /// the first signs a new one, the others find it. The very first token of a process may be
    /// replaced at once (the clock was wrong, the key was being rotated); after that no token
    /// is replaced within 20 minutes of the last, because Apple would refuse that too.
    pub fn renew(&self, refused: &str) -> bool {
        let key = self.key.get();
        let now = (self.clock)();
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if issued.token.as_ref().is_some_and(|token| *token.text != *refused) {
            return true;
        }
        let too_soon = issued.replaced_at.is_some_and(|at| age(at, now) < RENEW_AT_MOST_EVERY);
        let rotated = issued.token.as_ref().is_none_or(|token| !Arc::ptr_eq(&token.key, &key));
        if too_soon && !rotated {
            return false;
        }
        match self.sign(key, now) {
            Ok(token) => {
                issued.token = Some(token);
                issued.replaced_at = Some(now);
                true
            }
            Err(error) => {
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::error!(error, "cannot sign an APNs provider token");
                false
            }
        }
    }

    fn sign(&self, key: Arc<SigningKey>, now: SystemTime) -> Result<Token, ProviderError> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = None;
        header.kid = Some(key.id.clone());
        let iat = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = Claims { iss: &self.team_id, iat };
        let text = jsonwebtoken::encode(&header, &claims, &key.key)?;
        Ok(Token { text: text.into(), at: now, key })
    }
}

/// How old something is; a clock that was set back makes it new, not ancient.
fn age(at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(at).unwrap_or_default()
}

struct SigningKey {
    id: String,
    key: EncodingKey,
}

impl SigningKey {
    fn parse(content: &[Vec<u8>]) -> Result<Self, ProviderError> {
        let [pem, id] = content else {
            return Err(ProviderError::malformed("APNs key", "a key and its id are needed"));
        };
        let id = String::from_utf8_lossy(id).trim().to_owned();
        if id.is_empty() {
            return Err(ProviderError::malformed("APNs key id", "it is empty"));
        }
        let key =
            EncodingKey::from_ec_pem(pem).map_err(|error| ProviderError::malformed("APNs key", error))?;
        Ok(Self { id, key })
    }
}

#[cfg(test)]
impl Signer {
    pub fn looking_always(self) -> Self {
        Self { key: self.key.looking_always(), ..self }
    }
}
