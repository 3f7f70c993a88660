//! The provider token that all processes use: to Apple a process that starts again with a token of its own renews too often.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::push::provider::{ProviderError, Seal, SharedCredentials};

/// As long as Apple takes it.
const KEPT: Duration = Duration::from_secs(60 * 60);

/// A signed token. Not to be logged: with it anybody could push to every app of the team.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Token {
    pub text: String,
    /// When it was signed, in seconds since 1970.
    pub iat: u64,
    /// The same, of one that replaced a token that Apple had refused.
    #[serde(default)]
    pub replaced_at: Option<u64>,
}

/// What is shared now.
#[derive(Default)]
pub(super) struct Found {
    sealed: Option<Bytes>,
    token: Option<Token>,
    away: bool,
}

impl Found {
    pub fn token(&self) -> Option<&Token> {
        self.token.as_ref()
    }
}

/// The place of one key's token; nowhere for a provider that shares nothing.
pub(super) struct SharedToken {
    place: Option<(Arc<dyn SharedCredentials>, Seal)>,
}

impl SharedToken {
    pub fn new(
        shared: Option<Arc<dyn SharedCredentials>>,
        secret: &[u8],
        purpose: &str,
    ) -> Result<Self, ProviderError> {
        let place = shared.map(|shared| Ok::<_, ProviderError>((shared, Seal::new(secret, purpose)?)));
        Ok(Self { place: place.transpose()? })
    }

    pub async fn find(&self) -> Found {
        let Some((shared, seal)) = &self.place else { return Found::default() };
        match shared.load(seal.name()).await {
            Ok(sealed) => {
                // What is no token was written by somebody else, and is replaced.
                let opened = sealed.as_ref().and_then(|sealed| seal.open(sealed));
                let token = opened.and_then(|plain| serde_json::from_slice(&plain).ok());
                Found { sealed, token, away: false }
            }
            Err(error) => {
                tracing::warn!(%error, "push.apns: this process signs a token for itself");
                Found { away: true, ..Found::default() }
            }
        }
    }

    /// Shares `token` in the place of what was found; when another process was faster, its token is the answer.
    pub async fn offer(&self, found: Found, token: Token) -> Result<Token, ProviderError> {
        let Some((shared, seal)) = self.place.as_ref().filter(|_| !found.away) else { return Ok(token) };
        let plain = serde_json::to_vec(&token).map_err(|error| ProviderError::malformed("token", error))?;
        let swapped = shared.swap(seal.name(), found.sealed, seal.close(&plain)?, KEPT).await;
        match swapped {
            Ok(true) => Ok(token),
            Ok(false) => Ok(self.find().await.token.unwrap_or(token)),
            Err(error) => {
                tracing::warn!(%error, "push.apns: this process signs a token for itself");
                Ok(token)
            }
        }
    }
}
