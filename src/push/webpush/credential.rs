//! Who we are to push services: VAPID, RFC 8292.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use reqwest::Url;
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;

use crate::push::provider::{Clock, ProviderError, Source, Watched};

/// The RFC allows 24 hours.
const LIFE: Duration = Duration::from_secs(12 * 3600);
const RENEW_BEFORE_END: Duration = Duration::from_secs(3600);
/// One header per push service and key; there are a handful of them.
const MAX_CACHED: usize = 64;
/// Subscriptions of older keys that are remembered; the others are found again by trying.
const MAX_OLDER: usize = 100_000;

/// Makes the `Authorization` header of each push service and keeps it while it is good.
pub(super) struct Vapid {
    keys: Watched<VapidKeys>,
    subject: String,
    clock: Clock,
    headers: Mutex<HashMap<(String, Arc<str>), Signed>>,
    /// The public keys of subscriptions that turned out to belong to another key than the first, by a hash of their endpoint.
    older: Mutex<HashMap<u64, Arc<str>>>,
    hasher: RandomState,
}

struct Signed {
    header: Arc<str>,
    renew_at: SystemTime,
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    exp: u64,
    sub: &'a str,
}

impl Vapid {
    pub fn open(key: Source, subject: String, clock: Clock) -> Result<Self, ProviderError> {
        if !subject.starts_with("mailto:") && !subject.starts_with("https:") {
            let reason = "it must begin with mailto: or https:";
            return Err(ProviderError::malformed("VAPID subject", reason));
        }
        Ok(Self {
            keys: Watched::open(vec![key], VapidKeys::parse)?,
            subject,
            clock,
            headers: Mutex::default(),
            older: Mutex::default(),
            hasher: RandomState::new(),
        })
    }

    /// All keys, the likeliest first. A subscription is bound to the key that it was made with and does not say which.
    pub fn keys_for(&self, endpoint: &Url) -> Vec<Arc<VapidKey>> {
        let mut keys = self.keys.get().0.clone();
        let known = lock(&self.older).get(&self.hasher.hash_one(endpoint.as_str())).cloned();
        // A key that was taken away meanwhile is not found.
        if let Some(place) = known.and_then(|public| keys.iter().position(|key| key.public == public)) {
            keys[..=place].rotate_right(1);
        }
        keys
    }

    /// The push service took this key for this endpoint.
    pub fn took(&self, endpoint: &Url, key: &VapidKey) {
        let keys = self.keys.get();
        let is_first = keys.0.first().is_some_and(|first| first.public == key.public);
        if keys.0.len() < 2 {
            return;
        }
        let (hash, mut older) = (self.hasher.hash_one(endpoint.as_str()), lock(&self.older));
        if is_first {
            older.remove(&hash);
            return;
        }
        if older.len() >= MAX_OLDER {
            older.clear();
        }
        older.insert(hash, Arc::clone(&key.public));
    }

    /// The header for the push service at `origin`.
    pub fn header(&self, origin: &str, key: &VapidKey) -> Result<Arc<str>, ProviderError> {
        let now = (self.clock)();
        let mut headers = lock(&self.headers);
        let name = (origin.to_owned(), Arc::clone(&key.public));
        if let Some(signed) = headers.get(&name)
            && now < signed.renew_at
        {
            return Ok(Arc::clone(&signed.header));
        }
        let ends = now + LIFE;
        let exp = ends.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = Claims { aud: origin, exp, sub: &self.subject };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::ES256), &claims, &key.signing)?;
        let header: Arc<str> = format!("vapid t={token}, k={}", key.public).into();
        if headers.len() >= MAX_CACHED {
            headers.clear();
        }
        headers.insert(name, Signed { header: Arc::clone(&header), renew_at: ends - RENEW_BEFORE_END });
        Ok(header)
    }

    /// The application server key with which a page subscribes, in URL-safe base64.
    pub fn public_key(&self) -> String {
        self.keys.get().first_public()
    }

    #[cfg(test)]
    pub fn looking_always(self) -> Self {
        Self { keys: self.keys.looking_always(), ..self }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The public half of the first key, in URL-safe base64.
pub(super) fn public_key(private: &str) -> Result<String, ProviderError> {
    VapidKeys::parse(&[private.as_bytes().to_vec()]).map(|keys| keys.first_public())
}

/// Pages subscribe with the first; the others are for those who subscribed with them.
struct VapidKeys(Vec<Arc<VapidKey>>);

pub(super) struct VapidKey {
    signing: EncodingKey,
    public: Arc<str>,
}

impl VapidKeys {
    fn parse(content: &[Vec<u8>]) -> Result<Self, ProviderError> {
        let bytes = content.first().map(Vec::as_slice).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error))?;
        let blocks = text.matches("-----BEGIN").count();
        let keys: Vec<_> = if blocks > 0 {
            let all = PrivatePkcs8KeyDer::pem_slice_iter(bytes);
            all.map(|der| VapidKey::new(der.map_err(|error| malformed(&error))?.secret_pkcs8_der()))
                .collect::<Result<_, _>>()?
        } else {
            text.split_whitespace().map(VapidKey::of_text).collect::<Result<_, _>>()?
        };
        // A block of another kind would be left out without a word.
        if keys.is_empty() || (blocks > 0 && keys.len() != blocks) {
            return Err(malformed(&"it is neither PKCS#8 in PEM nor base64"));
        }
        Ok(Self(keys.into_iter().map(Arc::new).collect()))
    }

    fn first_public(&self) -> String {
        self.0.first().map(|key| key.public.to_string()).unwrap_or_default()
    }
}

impl VapidKey {
    fn of_text(text: &str) -> Result<Self, ProviderError> {
        let scalar = BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
        let scalar = scalar.map_err(|error| malformed(&error))?;
        let pkcs8 = pkcs8_of_scalar(&scalar).ok_or_else(|| malformed(&"it is not a scalar of P-256"))?;
        Self::new(&pkcs8)
    }

    fn new(pkcs8: &[u8]) -> Result<Self, ProviderError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8)
            .map_err(|error| malformed(&error))?;
        let public = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()).into();
        Ok(Self { signing: EncodingKey::from_ec_der(pkcs8), public })
    }
}

fn malformed(reason: &dyn ToString) -> ProviderError {
    ProviderError::malformed("VAPID key", reason.to_string())
}

/// PKCS#8 of a bare private key, as the usual VAPID tools print it.
fn pkcs8_of_scalar(scalar: &[u8]) -> Option<Vec<u8>> {
    let agreement = PrivateKey::from_private_key(&ECDH_P256, scalar).ok()?;
    let public = agreement.compute_public_key().ok()?;
    let pair = EcdsaKeyPair::from_private_key_and_public_key(
        &ECDSA_P256_SHA256_FIXED_SIGNING,
        scalar,
        public.as_ref(),
    )
    .ok()?;
    pair.to_pkcs8v1().ok().map(|document| document.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scalar of the test vector of RFC 8291 and its public key.
    const SCALAR: &str = "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw";
    const POINT: &str = "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml";

    fn publics(text: &str) -> Option<Vec<String>> {
        let keys = VapidKeys::parse(&[text.as_bytes().to_vec()]).ok()?;
        Some(keys.0.iter().map(|key| key.public.to_string()).collect())
    }

    #[test]
    fn a_key_is_the_same_as_pem_and_as_bare_base64() {
        let pair = rcgen::KeyPair::generate().expect("a key pair");
        let public = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key_raw());
        assert_eq!(publics(&pair.serialize_pem()), Some(vec![public]));
        let bare = publics(&format!("{SCALAR}\n")).expect("a key");
        assert!(bare.len() == 1 && bare[0].starts_with(POINT));
    }

    #[test]
    fn several_keys_stand_one_below_the_other() {
        let pairs = [(); 2].map(|()| rcgen::KeyPair::generate().expect("a key pair"));
        let expected: Vec<_> =
            pairs.iter().map(|pair| BASE64_URL_SAFE_NO_PAD.encode(pair.public_key_raw())).collect();
        let pem: String = pairs.iter().map(rcgen::KeyPair::serialize_pem).collect();
        assert_eq!(publics(&pem), Some(expected.clone()));
        assert_eq!(public_key(&pem).ok().as_ref(), expected.first());
        let scalars = format!("{}\n{SCALAR}\n", BASE64_URL_SAFE_NO_PAD.encode([1; 32]));
        let bare = publics(&scalars).expect("two keys");
        assert!(bare.len() == 2 && bare[1].starts_with(POINT));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let good = rcgen::KeyPair::generate().expect("a key pair").serialize_pem();
        let other = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";
        let nothing = "-----BEGIN PRIVATE KEY-----";
        for wrong in ["", "AAAA", nothing, &format!("{SCALAR}\nAAAA"), &format!("{good}{other}")] {
            assert_eq!(publics(wrong), None, "{wrong}");
        }
    }
}
