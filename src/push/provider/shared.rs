//! Port: short-lived credentials that all processes of the push stage share, across their restarts.

use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::hmac;
use bytes::Bytes;

use super::ProviderError;
use crate::fanout::FanoutError;

/// Keeps small values under names, each for a while. It only keeps bytes and compares before it sets, and it sees none of them in
/// clear: see [`Seal`].
#[async_trait]
pub trait SharedCredentials: Send + Sync + 'static {
    async fn load(&self, name: &str) -> Result<Option<Bytes>, FanoutError>;

    /// Sets what is still as it was loaded, for `ttl`; whether it was.
    async fn swap(
        &self,
        name: &str,
        old: Option<Bytes>,
        new: Bytes,
        ttl: Duration,
    ) -> Result<bool, FanoutError>;
}

/// Encrypts what is shared with a key made from the signing key: whoever reads the store learns nothing, and whoever could read this
/// could sign for themselves.
pub(in crate::push) struct Seal {
    name: String,
    key: RandomizedNonceKey,
}

impl Seal {
    /// For what `secret` signs; `purpose` tells apart what is signed with the same one.
    pub fn new(secret: &[u8], purpose: &str) -> Result<Self, ProviderError> {
        let secret = hmac::Key::new(hmac::HMAC_SHA256, secret);
        let derived = |of: &str| hmac::sign(&secret, format!("tidings/{of}/{purpose}").as_bytes());
        let key = RandomizedNonceKey::new(&AES_256_GCM, derived("seal").as_ref())
            .map_err(|error| ProviderError::malformed("signing key", error))?;
        let name = derived("name").as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { name, key })
    }

    /// Under which it is kept. Another signing key has another one.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn close(&self, plain: &[u8]) -> Result<Bytes, ProviderError> {
        let mut sealed = plain.to_vec();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(self.name.as_bytes()), &mut sealed)
            .map_err(|error| ProviderError::malformed("signing key", error))?;
        Ok([&nonce.as_ref()[..], &sealed].concat().into())
    }

    /// `None` for what was not closed with this seal.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = sealed.to_vec();
        let opened = self.key.open_in_place(nonce, Aad::from(self.name.as_bytes()), &mut plain).ok()?;
        Some(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_secret_and_purpose_open_a_seal() {
        let seal = |secret: &[u8], purpose| Seal::new(secret, purpose).expect("a seal");
        let sealed = seal(b"secret", "apns").close(b"token").expect("sealed");
        assert!(!sealed.windows(5).any(|part| part == b"token"));
        assert_eq!(seal(b"secret", "apns").open(&sealed).expect("opened"), b"token");
        assert_eq!(seal(b"secret", "apns").open(&sealed[..20]), None);
        for other in [seal(b"another", "apns"), seal(b"secret", "else")] {
            assert_eq!(other.open(&sealed), None);
            assert_ne!(other.name(), seal(b"secret", "apns").name());
        }
    }
}
