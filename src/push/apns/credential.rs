//! Who we are to Apple: one signer for all connections, or a client certificate.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use reqwest::Identity;

use super::identity::ClientIdentity;
use super::signer::Signer;
use super::{Authentication, Settings};
use crate::push::provider::{Clock, Connections, Lease, ProviderError, SharedCredentials, Watched};

pub(super) enum Credential {
    Token { signer: Signer, connections: Connections },
    Certificate { identity: Watched<ClientIdentity>, settings: Settings, held: Mutex<Option<Held>> },
}

/// Connections that present one certificate; a new certificate needs new ones.
pub(super) struct Held {
    identity: Arc<ClientIdentity>,
    connections: Arc<Connections>,
}

impl Credential {
    pub fn open(settings: Settings, clock: Clock) -> Result<Self, ProviderError> {
        match settings.authentication.clone() {
            Authentication::Token { key, key_id, team_id } => {
                let signer = Signer::open(key, key_id, team_id, clock)?;
                Ok(Self::Token { signer, connections: connect(&settings, None)? })
            }
            Authentication::Certificate { chain, key } => {
                let identity = Watched::open(vec![chain, key], ClientIdentity::parse)?;
                Ok(Self::Certificate { identity, settings, held: Mutex::default() })
            }
        }
    }

    /// A place on a connection and, with token authentication, the token to send.
    pub async fn get(&self) -> Result<(Lease, Option<Arc<str>>), ProviderError> {
        match self {
            Self::Token { signer, connections } => {
                let token = signer.token().await?;
                Ok((connections.lease(), Some(token)))
            }
            Self::Certificate { identity, settings, held } => {
                let identity = identity.get();
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(held) = held.as_ref()
                    && Arc::ptr_eq(&held.identity, &identity)
                {
                    return Ok((held.connections.lease(), None));
                }
                let connections = Arc::new(connect(settings, Some(&identity.identity))?);
                let lease = connections.lease();
                *held = Some(Held { identity, connections });
                Ok((lease, None))
            }
        }
    }

    /// After `refused` was refused: whether there is another token to try now.
    pub async fn renew(&self, refused: &str, may_sign: bool) -> bool {
        match self {
            Self::Token { signer, .. } => signer.renew(refused, may_sign).await,
            Self::Certificate { .. } => false,
        }
    }

    /// Uses, and leaves there, the token that other processes use.
    pub fn share(&mut self, shared: Arc<dyn SharedCredentials>) {
        if let Self::Token { signer, .. } = self {
            signer.share(shared);
        }
    }

    pub fn expiry(&self) -> Option<SystemTime> {
        match self {
            Self::Token { .. } => None,
            Self::Certificate { identity, .. } => Some(identity.get().not_after),
        }
    }
}

fn connect(settings: &Settings, identity: Option<&Identity>) -> Result<Connections, ProviderError> {
    let (count, streams) = (settings.connections, settings.streams_per_connection);
    Connections::new(&settings.http, identity, count, streams)
}

#[cfg(test)]
impl Credential {
    /// Looks at the files at every use, so that a test need not wait a second.
    pub fn looking_always(self) -> Self {
        match self {
            Self::Token { signer, connections } => {
                Self::Token { signer: signer.looking_always(), connections }
            }
            Self::Certificate { identity, settings, held } => {
                Self::Certificate { identity: identity.looking_always(), settings, held }
            }
        }
    }
}
