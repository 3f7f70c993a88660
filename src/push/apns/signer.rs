//! Provider tokens: ES256 over the team and the moment of signing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::shared_token::{SharedToken, Token};
use crate::push::provider::{Clock, ProviderError, SharedCredentials, Source, Watched};

/// Apple refuses tokens older than an hour, and senders that renew more often than every 20 minutes.
const RENEW_AFTER: Duration = Duration::from_secs(50 * 60);
const RENEW_AT_MOST_EVERY: Duration = Duration::from_secs(20 * 60);
/// How far apart the clocks of processes may be.
const LARGEST_SKEW: Duration = Duration::from_secs(60);

/// Signs provider tokens. All connections share the present one, because Apple counts renewals; so do all processes and their
/// restarts, by way of [`SharedCredentials`].
pub(super) struct Signer {
    key: Watched<SigningKey>,
    team_id: String,
    clock: Clock,
    current: Mutex<Option<Current>>,
    /// Held across look-ups and signing on purpose: that is what makes it one renewal.
    renewing: tokio::sync::Mutex<()>,
    shared: Option<Arc<dyn SharedCredentials>>,
}

#[derive(Clone)]
struct Current {
    text: Arc<str>,
    token: Token,
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
        Ok(Self {
            key,
            team_id,
            clock,
            current: Mutex::default(),
            renewing: tokio::sync::Mutex::default(),
            shared: None,
        })
    }

    pub fn share(&mut self, shared: Arc<dyn SharedCredentials>) {
        self.shared = Some(shared);
    }

    /// The present token; takes that of another process, or signs one, when there is none, when it is old, or when the key was rotated.
    pub async fn token(&self) -> Result<Arc<str>, ProviderError> {
        let key = self.key.get();
        if let Some(text) = self.fresh(&key) {
            return Ok(text);
        }
        let _one = self.renewing.lock().await;
        if let Some(text) = self.fresh(&key) {
            return Ok(text);
        }
        let shared = self.shared_token(&key)?;
        let found = shared.find().await;
        if let Some(token) = found.token().filter(|token| self.is_fresh(token)) {
            return Ok(self.take(token.clone(), key));
        }
        let token = self.sign(&key, seconds((self.clock)()), None)?;
        let token = shared.offer(found, token).await?;
        Ok(self.take(token, key))
    }

    /// After Apple refused a token: whether there is another one to try now. Many requests may be refused with the same token: the
    /// first one, of all processes, signs a new one when `may_sign`, the others find it. The very first token may be replaced at
    /// once (the clock was wrong, the key was being rotated); after that no token is replaced within 20 minutes of the last, because
    /// Apple would refuse that too.
    pub async fn renew(&self, refused: &str, may_sign: bool) -> bool {
        let key = self.key.get();
        let _one = self.renewing.lock().await;
        let current = self.current();
        if current.as_ref().is_some_and(|current| *current.text != *refused) {
            return true;
        }
        match self.replace(refused, current, key, may_sign).await {
            Ok(replaced) => replaced,
            Err(error) => {
                let error = &error as &(dyn std::error::Error + 'static);
                tracing::error!(error, "cannot sign an APNs provider token");
                false
            }
        }
    }

    async fn replace(
        &self,
        refused: &str,
        current: Option<Current>,
        key: Arc<SigningKey>,
        may_sign: bool,
    ) -> Result<bool, ProviderError> {
        let shared = self.shared_token(&key)?;
        let found = shared.find().await;
        if let Some(token) = found.token().filter(|token| token.text != refused && self.is_fresh(token)) {
            self.take(token.clone(), key);
            return Ok(true);
        }
        let rotated = current.as_ref().is_none_or(|current| !Arc::ptr_eq(&current.key, &key));
        let last = found.token().or(current.as_ref().map(|current| &current.token)).cloned();
        let now = (self.clock)();
        let replaced_at = last.as_ref().and_then(|last| last.replaced_at);
        // A process whose clock is ahead says a time to come: that must not keep the others from a token of their own.
        let too_soon = replaced_at.is_some_and(|at| {
            at <= seconds(now) + LARGEST_SKEW.as_secs() && age(at, now) < RENEW_AT_MOST_EVERY
        });
        if !may_sign || (too_soon && !rotated) {
            return Ok(false);
        }
        let iat = later_than(last.map(|last| last.iat), now).await;
        let token = self.sign(&key, iat, Some(seconds(now)))?;
        let token = shared.offer(found, token).await?;
        let another = token.text != refused;
        self.take(token, key);
        Ok(another)
    }

    fn current(&self) -> Option<Current> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn fresh(&self, key: &Arc<SigningKey>) -> Option<Arc<str>> {
        let current = self.current()?;
        (Arc::ptr_eq(&current.key, key) && self.is_fresh(&current.token)).then_some(current.text)
    }

    fn is_fresh(&self, token: &Token) -> bool {
        age(token.iat, (self.clock)()) < RENEW_AFTER
    }

    fn take(&self, token: Token, key: Arc<SigningKey>) -> Arc<str> {
        let text: Arc<str> = token.text.as_str().into();
        let current = Current { text: Arc::clone(&text), token, key };
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(current);
        text
    }

    fn shared_token(&self, key: &SigningKey) -> Result<SharedToken, ProviderError> {
        let purpose = format!("apns/{}/{}", self.team_id, key.id);
        SharedToken::new(self.shared.clone(), &key.pem, &purpose)
    }

    fn sign(&self, key: &SigningKey, iat: u64, replaced_at: Option<u64>) -> Result<Token, ProviderError> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = None;
        header.kid = Some(key.id.clone());
        let claims = Claims { iss: &self.team_id, iat };
        let text = jsonwebtoken::encode(&header, &claims, &key.key)?;
        Ok(Token { text, iat, replaced_at })
    }
}

/// A moment of signing that is not that of the refused token, which would be the same token in all but its signature.
async fn later_than(last: Option<u64>, now: SystemTime) -> u64 {
    let this = seconds(now);
    let Some(last) = last.filter(|last| (this..=this + 1).contains(last)) else { return this };
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let rest = Duration::from_secs(1) - Duration::from_nanos(since.subsec_nanos().into());
    tokio::time::sleep(rest).await;
    last + 1
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// How old something is; a clock that was set back makes it new, not ancient.
fn age(at: u64, now: SystemTime) -> Duration {
    Duration::from_secs(seconds(now).saturating_sub(at))
}

struct SigningKey {
    id: String,
    key: EncodingKey,
    pem: Vec<u8>,
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
        Ok(Self { id, key, pem: pem.clone() })
    }
}

#[cfg(test)]
impl Signer {
    pub fn looking_always(self) -> Self {
        Self { key: self.key.looking_always(), ..self }
    }
}
