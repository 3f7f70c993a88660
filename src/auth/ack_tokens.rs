//! Tokens that ride in a push, so that a notification extension can say that it arrived, and nothing else.

use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use super::issuer::{Grant, Issuer, MintError, Minted};
use super::settings::Secret;

/// What the token's holder may acknowledge: one conversation, up to one seq.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AckScope {
    pub conversation_id: Uuid,
    pub seq: i64,
}

const PREFIX: &str = "ack:";

impl AckScope {
    fn encode(&self) -> String {
        format!("{PREFIX}{}:{}", self.conversation_id.simple(), self.seq)
    }

    /// Reads a token's `scope`; `None` when it is for something else.
    pub fn parse(scope: &str) -> Option<Self> {
        let (conversation, seq) = scope.strip_prefix(PREFIX)?.split_once(':')?;
        let seq = seq.parse().ok().filter(|seq| *seq > 0)?;
        Some(Self { conversation_id: Uuid::parse_str(conversation).ok()?, seq })
    }
}

/// Makes them.
pub struct AckTokens {
    issuer: Issuer,
    lifetime: Duration,
}

impl AckTokens {
    /// `secret` is that of the server's own tokens, see [`own_secret`]; a push must not outlive its token by much, so `lifetime` is
    /// how long a push may be on its way.
    pub fn new(secret: &Secret, lifetime: Duration) -> Self {
        Self { issuer: Issuer::new(secret), lifetime }
    }

    /// A token with which one device of the user may acknowledge.
    ///
    /// # Errors
    /// When the ids are such as no verifier takes.
    pub fn mint(
        &self,
        user_id: &str,
        device_id: &str,
        scope: AckScope,
        now: SystemTime,
    ) -> Result<Minted, MintError> {
        let scope = scope.encode();
        let grant = Grant::new(user_id, self.lifetime).device(device_id).scope(&scope);
        self.issuer.mint(&grant, now)
    }
}

/// The secret of the server's own tokens: `auth.signing_secret`, else one derived from `auth.hs256_secret`, which every role has; a backend
/// that knows the latter can speak for any user anyway. `None` when there is neither.
pub fn own_secret(signing: Option<&Secret>, shared: Option<&Secret>) -> Option<Secret> {
    if let Some(signing) = signing {
        return Some(signing.clone());
    }
    let shared = shared.filter(|shared| !shared.expose().is_empty())?;
    let key = hmac::Key::new(hmac::HMAC_SHA256, shared.expose().as_bytes());
    let derived = hmac::sign(&key, b"tidings: the server's own tokens");
    Some(Secret::new(URL_SAFE_NO_PAD.encode(derived)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_read_as_it_was_written_and_nothing_else_is_one() {
        let scope = AckScope { conversation_id: Uuid::from_u128(7), seq: 12 };
        assert_eq!(AckScope::parse(&scope.encode()), Some(scope));
        for other in ["ack", "ack:", "ack:x:1", &format!("ack:{}:0", Uuid::nil()), "read:1:1"] {
            assert_eq!(AckScope::parse(other), None, "{other}");
        }
    }

    #[test]
    fn the_signing_secret_goes_before_a_derived_one_and_none_is_none() {
        let (signing, shared) = (Secret::new("signing"), Secret::new("shared"));
        assert_eq!(own_secret(Some(&signing), Some(&shared)), Some(signing));
        let derived = own_secret(None, Some(&shared)).expect("a secret");
        assert_ne!(derived, shared);
        assert_eq!(own_secret(None, Some(&shared)), Some(derived.clone()));
        assert_ne!(own_secret(None, Some(&Secret::new("other"))), Some(derived));
        assert_eq!(own_secret(None, Some(&Secret::new(""))), None);
        assert_eq!(own_secret(None, None), None);
    }
}
