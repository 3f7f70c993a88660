//! Who we are to push services: VAPID, RFC 8292.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use serde::Serialize;

use crate::push::provider::{Clock, ProviderError, Source, Watched};

/// The RFC allows 24 hours.
const LIFE: Duration = Duration::from_secs(12 * 3600);
const RENEW_BEFORE_END: Duration = Duration::from_secs(3600);
/// One header per push service; there are a handful of them.
const MAX_CACHED: usize = 64;

/// Makes the `Authorization` header of each push service and keeps it while it is good.
pub(super) struct Vapid {
    key: Watched<VapidKey>,
    subject: String,
    clock: Clock,
    headers: Mutex<HashMap<String, Signed>>,
}

struct Signed {
    header: Arc<str>,
    key: Arc<VapidKey>,
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
        let key = Watched::open(vec![key], VapidKey::parse)?;
        Ok(Self { key, subject, clock, headers: Mutex::default() })
    }

    /// The header for the push service at `origin`.
    pub fn header(&self, origin: &str) -> Result<Arc<str>, ProviderError> {
        let key = self.key.get();
        let now = (self.clock)();
        let mut headers = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signed) = headers.get(origin)
            && Arc::ptr_eq(&signed.key, &key)
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
        let signed = Signed { header: Arc::clone(&header), key, renew_at: ends - RENEW_BEFORE_END };
        headers.insert(origin.to_owned(), signed);
        Ok(header)
    }

    /// The application server key with which a page subscribes, in URL-safe base64.
    pub fn public_key(&self) -> String {
        self.key.get().public.clone()
    }

    #[cfg(test)]
    pub fn looking_always(self) -> Self {
        Self { key: self.key.looking_always(), ..self }
    }
}

/// The public half of a key, in URL-safe base64.
pub(super) fn public_key(private: &str) -> Result<String, ProviderError> {
    VapidKey::parse(&[private.as_bytes().to_vec()]).map(|key| key.public)
}

struct VapidKey {
    signing: EncodingKey,
    public: String,
}

impl VapidKey {
    fn parse(content: &[Vec<u8>]) -> Result<Self, ProviderError> {
        let malformed = |reason: &dyn ToString| ProviderError::malformed("VAPID key", reason.to_string());
        let bytes = content.first().map(Vec::as_slice).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error))?.trim();
        let pkcs8 = if text.starts_with("-----BEGIN") {
            let der = PrivatePkcs8KeyDer::from_pem_slice(bytes).map_err(|error| malformed(&error))?;
            der.secret_pkcs8_der().to_vec()
        } else {
            let scalar = BASE64_URL_SAFE_NO_PAD
                .decode(text.trim_end_matches('='))
                .map_err(|error| malformed(&error))?;
            pkcs8_of_scalar(&scalar).ok_or_else(|| malformed(&"it is not a scalar of P-256"))?
        };
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|error| malformed(&error))?;
        let public = BASE64_URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        Ok(Self { signing: EncodingKey::from_ec_der(&pkcs8), public })
    }
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

    #[test]
    fn a_key_is_the_same_as_pem_and_as_bare_base64() {
        let pair = rcgen::KeyPair::generate().expect("a key pair");
        let pem = VapidKey::parse(&[pair.serialize_pem().into_bytes()]).expect("a key");
        assert_eq!(pem.public, BASE64_URL_SAFE_NO_PAD.encode(pair.public_key_raw()));
        // The scalar of the test vector of RFC 8291 and its public key.
        let bare =
            VapidKey::parse(&[b"yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw\n".to_vec()]).expect("a key");
        assert!(bare.public.starts_with("BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27ml"));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(VapidKey::parse(&[b"AAAA".to_vec()]).is_err());
        assert!(VapidKey::parse(&[b"-----BEGIN PRIVATE KEY-----".to_vec()]).is_err());
    }
}
