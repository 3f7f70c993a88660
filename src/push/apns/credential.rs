//! Who we are to Apple: one signer for all connections, or a client certificate.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Identity;
use serde::Serialize;
use x509_parser::pem::Pem;

use super::{Authentication, Settings};
use crate::push::provider::{Clock, Connections, Lease, ProviderError, Watched};

/// Apple refuses tokens older than an hour, and senders that renew more often than every 20 minutes.
const RENEW_AFTER: Duration = Duration::from_secs(50 * 60);
const RENEW_AT_MOST_EVERY: Duration = Duration::from_secs(20 * 60);

pub(super) enum Credential {
    Token {
        signer: Signer,
        connections: Connections,
    },
    Certificate {
        identity: Watched<ClientIdentity>,
        settings: Settings,
        held: Mutex<Option<Held>>,
    },
}

/// Connections that present one certificate; a new certificate needs new ones.
pub(super) struct Held {
    identity: Arc<ClientIdentity>,
    connections: Arc<Connections>,
}

impl Credential {
    pub fn open(settings: Settings, clock: Clock) -> Result<Self, ProviderError> {
        match settings.authentication.clone() {
            Authentication::Token {
                key,
                key_id,
                team_id,
            } => {
                let key = Watched::open(vec![key, key_id], SigningKey::parse)?;
                let signer = Signer {
                    key,
                    team_id,
                    clock,
                    issued: Mutex::default(),
                };
                Ok(Self::Token {
                    signer,
                    connections: connect(&settings, None)?,
                })
            }
            Authentication::Certificate { chain, key } => {
                let identity = Watched::open(vec![chain, key], ClientIdentity::parse)?;
                Ok(Self::Certificate {
                    identity,
                    settings,
                    held: Mutex::default(),
                })
            }
        }
    }

    /// A place on a connection and, with token authentication, the token to send.
    pub fn get(&self) -> Result<(Lease, Option<Arc<str>>), ProviderError> {
        match self {
            Self::Token {
                signer,
                connections,
            } => Ok((connections.lease(), Some(signer.token()?))),
            Self::Certificate {
                identity,
                settings,
                held,
            } => {
                let identity = identity.get();
                let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(held) = held.as_ref()
                    && Arc::ptr_eq(&held.identity, &identity)
                {
                    return Ok((held.connections.lease(), None));
                }
                let connections = Arc::new(connect(settings, Some(&identity.identity))?);
                let lease = connections.lease();
                *held = Some(Held {
                    identity,
                    connections,
                });
                Ok((lease, None))
            }
        }
    }

    /// After `refused` was refused: whether there is another token to try now.
    pub fn renew(&self, refused: &str) -> bool {
        match self {
            Self::Token { signer, .. } => signer.renew(refused),
            Self::Certificate { .. } => false,
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
    /// The present token; signs one when there is none, when it is old, or when the key was rotated.
    fn token(&self) -> Result<Arc<str>, ProviderError> {
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
    fn renew(&self, refused: &str) -> bool {
        let key = self.key.get();
        let now = (self.clock)();
        let mut issued = self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        if issued
            .token
            .as_ref()
            .is_some_and(|token| *token.text != *refused)
        {
            return true;
        }
        let too_soon = issued
            .replaced_at
            .is_some_and(|at| age(at, now) < RENEW_AT_MOST_EVERY);
        let rotated = issued
            .token
            .as_ref()
            .is_none_or(|token| !Arc::ptr_eq(&token.key, &key));
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
        let claims = Claims {
            iss: &self.team_id,
            iat,
        };
        let text = jsonwebtoken::encode(&header, &claims, &key.key)?;
        Ok(Token {
            text: text.into(),
            at: now,
            key,
        })
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
            return Err(ProviderError::malformed(
                "APNs key",
                "a key and its id are needed",
            ));
        };
        let id = String::from_utf8_lossy(id).trim().to_owned();
        if id.is_empty() {
            return Err(ProviderError::malformed("APNs key id", "it is empty"));
        }
        let key = EncodingKey::from_ec_pem(pem)
            .map_err(|error| ProviderError::malformed("APNs key", error))?;
        Ok(Self { id, key })
    }
}

/// A client certificate and when it ends.
pub(super) struct ClientIdentity {
    identity: Identity,
    not_after: SystemTime,
}

impl ClientIdentity {
    fn parse(content: &[Vec<u8>]) -> Result<Self, ProviderError> {
        let malformed = |reason: &dyn ToString| {
            ProviderError::malformed("APNs certificate", reason.to_string())
        };
        let [chain, key] = content else {
            return Err(malformed(&"a chain and a key are needed"));
        };
        let mut pem = chain.clone();
        // One file may hold both; given twice, the key would be there twice.
        if chain != key {
            pem.push(b'\n');
            pem.extend_from_slice(key);
        }
        let identity = Identity::from_pem(&pem).map_err(ProviderError::Client)?;
        let leaf = Pem::iter_from_buffer(chain)
            .filter_map(Result::ok)
            .find(|block| block.label == "CERTIFICATE")
            .ok_or_else(|| malformed(&"no certificate in it"))?;
        let certificate = leaf.parse_x509().map_err(|error| malformed(&error))?;
        let seconds = certificate.validity().not_after.timestamp();
        let not_after = UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        Ok(Self {
            identity,
            not_after,
        })
    }
}

#[cfg(test)]
impl Credential {
    /// Looks at the files at every use, so that a test need not wait a second.
    pub fn looking_always(self) -> Self {
        match self {
            Self::Token {
                signer,
                connections,
            } => {
                let key = signer.key.looking_always();
                Self::Token {
                    signer: Signer { key, ..signer },
                    connections,
                }
            }
            Self::Certificate {
                identity,
                settings,
                held,
            } => Self::Certificate {
                identity: identity.looking_always(),
                settings,
                held,
            },
        }
    }
}
