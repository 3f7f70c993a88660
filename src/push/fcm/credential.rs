//! Who we are to Google: access tokens from a service account.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwapOption;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::{Client, Url};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::push::provider::{Clock, Delivery, Failure, Outcome, ProviderError, Source, Watched, exchange};

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The longest life that Google gives an assertion.
const ASSERTION_LIFE: u64 = 3600;
/// A token is replaced this long before it ends, so that none ends on its way.
const MARGIN: Duration = Duration::from_secs(300);
/// After a failure all waiting pushes share it for this long instead of asking one by one.
const FAILURE_STANDS: Duration = Duration::from_secs(1);
/// A fresh token that is refused is not replaced again within this time: the fault lies elsewhere.
const RENEW_AT_MOST_EVERY: Duration = Duration::from_secs(30);

/// An access token and the project that it is for.
pub(super) struct AccessToken {
    pub text: String,
    pub project_id: String,
    account: Arc<ServiceAccount>,
    expires_at: SystemTime,
    /// When it was fetched, if it replaced one that was refused.
    replaced_at: Option<SystemTime>,
}

/// Access tokens of one service account: cached until shortly before they end, fetched by one
/// push while the others wait for it.
pub(super) struct AccessTokens {
    account: Watched<ServiceAccount>,
    client: Client,
    clock: Clock,
    current: ArcSwapOption<AccessToken>,
    /// Held across the fetch on purpose: that is what makes it one fetch.
    fetching: Mutex<Option<LastFailure>>,
}

struct LastFailure {
    at: SystemTime,
    reason: String,
    after: Option<Duration>,
    refused: bool,
}

impl LastFailure {
    fn error(&self) -> ProviderError {
        ProviderError::AccessToken { reason: self.reason.clone(), after: self.after, refused: self.refused }
    }
}

impl AccessTokens {
    pub fn open(account: Source, client: Client, clock: Clock) -> Result<Self, ProviderError> {
        let account = Watched::open(vec![account], ServiceAccount::parse)?;
        Ok(Self { account, client, clock, current: ArcSwapOption::empty(), fetching: Mutex::default() })
    }

    /// The present token. `refused` is one that Google did not take: it is replaced, but once
    /// for all pushes that were refused with it.
    pub async fn get(&self, refused: Option<&AccessToken>) -> Result<Arc<AccessToken>, ProviderError> {
        let account = self.account.get();
        if let Some(token) = self.usable(&account, refused) {
            return Ok(token);
        }
        let mut last_failure = self.fetching.lock().await;
        if let Some(token) = self.usable(&account, refused) {
            return Ok(token);
        }
        let now = (self.clock)();
        if let Some(failure) = last_failure.as_ref()
            && now.duration_since(failure.at).unwrap_or_default() < FAILURE_STANDS
        {
            return Err(failure.error());
        }
        match self.fetch(account, now).await {
            Ok(mut token) => {
                token.replaced_at = refused.map(|_| now);
                let token = Arc::new(token);
                *last_failure = None;
                self.current.store(Some(Arc::clone(&token)));
                Ok(token)
            }
            Err(error) => {
                let (reason, after) = match &error {
                    ProviderError::AccessToken { reason, after, .. } => (reason.clone(), *after),
                    other => (other.to_string(), None),
                };
                let refused = error.is_of_credential();
                *last_failure = Some(LastFailure { at: now, reason, after, refused });
                Err(error)
            }
        }
    }

    fn usable(
        &self,
        account: &Arc<ServiceAccount>,
        refused: Option<&AccessToken>,
    ) -> Option<Arc<AccessToken>> {
        let token = self.current.load_full()?;
        let now = (self.clock)();
        let fresh = now + MARGIN < token.expires_at && Arc::ptr_eq(&token.account, account);
        let was_refused = refused.is_some_and(|refused| refused.text == token.text);
        let just_replaced = token
            .replaced_at
            .is_some_and(|at| now.duration_since(at).unwrap_or_default() < RENEW_AT_MOST_EVERY);
        (fresh && (!was_refused || just_replaced)).then_some(token)
    }

    async fn fetch(
        &self,
        account: Arc<ServiceAccount>,
        now: SystemTime,
    ) -> Result<AccessToken, ProviderError> {
        let body = account.grant(now)?;
        let request = self
            .client
            .post(&account.token_uri)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let reply = exchange(request).await.map_err(|failure| {
            let (Failure::Lost(reason) | Failure::Unsendable(reason)) = failure;
            ProviderError::AccessToken { reason, after: None, refused: false }
        })?;
        let after = reply.retry_after(now);
        if !reply.status.is_success() {
            let reason = format!("status {}: {}", reply.status.as_u16(), reply.body);
            return Err(ProviderError::AccessToken { reason, after, refused: !reply.is_transient() });
        }
        let granted: Granted = serde_json::from_str(&reply.body).map_err(|error| {
            ProviderError::AccessToken { reason: error.to_string(), after, refused: false }
        })?;
        Ok(AccessToken {
            text: granted.access_token,
            project_id: account.project_id.clone(),
            account,
            replaced_at: None,
            expires_at: now + Duration::from_secs(granted.expires_in),
        })
    }
}

/// Without a token the push waits: neither the device nor the message is at fault.
pub(super) fn unavailable(error: &ProviderError) -> Delivery {
    let after = match error {
        ProviderError::AccessToken { after, .. } => *after,
        _ => None,
    };
    let delivery = Delivery::unasked(Outcome::Retry { after, reason: error.to_string() });
    if error.is_of_credential() { delivery.of_credential() } else { delivery }
}

#[derive(Deserialize)]
struct Granted {
    access_token: String,
    /// OAuth only recommends to say it (RFC 6749, 5.1); Google's live an hour.
    #[serde(default = "an_hour")]
    expires_in: u64,
}

const fn an_hour() -> u64 {
    3600
}

/// The parts of Google's service account file that sending needs.
struct ServiceAccount {
    project_id: String,
    client_email: String,
    key_id: Option<String>,
    key: EncodingKey,
    /// As written in the file: Google compares the assertion's audience with it.
    token_uri: String,
}

#[derive(Deserialize)]
struct ServiceAccountFile {
    project_id: String,
    client_email: String,
    private_key_id: Option<String>,
    private_key: String,
    token_uri: String,
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    scope: &'a str,
    aud: &'a str,
    iat: u64,
    exp: u64,
}

impl ServiceAccount {
    fn parse(content: &[Vec<u8>]) -> Result<Self, ProviderError> {
        const WHAT: &str = "FCM service account";
        let bytes = content.first().map(Vec::as_slice).unwrap_or_default();
        // The error of serde_json names a line and a field, never a value of a known string field.
        let file: ServiceAccountFile =
            serde_json::from_slice(bytes).map_err(|error| ProviderError::malformed(WHAT, error))?;
        let key = EncodingKey::from_rsa_pem(file.private_key.as_bytes())
            .map_err(|error| ProviderError::malformed(WHAT, error))?;
        Url::parse(&file.token_uri).map_err(|error| ProviderError::malformed(WHAT, error))?;
        Ok(Self {
            project_id: file.project_id,
            client_email: file.client_email,
            key_id: file.private_key_id,
            key,
            token_uri: file.token_uri,
        })
    }

    /// The form with the signed assertion: RFC 7523.
    fn grant(&self, now: SystemTime) -> Result<String, ProviderError> {
        let iat = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut header = Header::new(Algorithm::RS256);
        header.kid = self.key_id.clone();
        let claims = Claims {
            iss: &self.client_email,
            scope: SCOPE,
            aud: &self.token_uri,
            iat,
            exp: iat + ASSERTION_LIFE,
        };
        let assertion = jsonwebtoken::encode(&header, &claims, &self.key)?;
        // A JWT is made of characters that a form need not escape; of the grant only the colons.
        Ok(format!("grant_type={}&assertion={assertion}", GRANT.replace(':', "%3A")))
    }
}

#[cfg(test)]
impl AccessTokens {
    pub fn looking_always(self) -> Self {
        Self { account: self.account.looking_always(), ..self }
    }
}
