//! A JSON Web Key Set (RFC 7517), as far as it serves to check signatures.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::error::TokenError;
use super::key::{Algorithm, Key, MAX_KEYS, check_rsa_size};

/// The usable keys of a set, never none.
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum KeySetError {
    #[error("the answer is not a JSON Web Key Set")]
    NotASet,
    #[error("the set has no key that can check RS256, ES256 or EdDSA signatures")]
    NoUsableKey,
    #[error("the set has more than {MAX_KEYS} keys")]
    TooMany,
}

#[derive(Deserialize)]
struct RawSet<'a> {
    // Each by itself, so that a key of a kind not known here does not spoil the set.
    #[serde(borrow)]
    keys: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct RawKey {
    kty: String,
    #[serde(default)]
    kid: Option<String>,
    #[serde(default)]
    alg: Option<String>,
    #[serde(default, rename = "use")]
    usage: Option<String>,
    #[serde(default)]
    key_ops: Option<Vec<String>>,
    #[serde(default)]
    crv: Option<String>,
    #[serde(default)]
    n: Option<String>,
    #[serde(default)]
    e: Option<String>,
    #[serde(default)]
    x: Option<String>,
    #[serde(default)]
    y: Option<String>,
}

impl KeySet {
    pub(super) fn parse(json: &[u8]) -> Result<Self, KeySetError> {
        let set: RawSet<'_> = serde_json::from_slice(json).map_err(|_| KeySetError::NotASet)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeySetError::TooMany);
        }
        let keys: Vec<Key> = set.keys.iter().filter_map(|raw| parse_key(raw)).collect();
        if keys.is_empty() { Err(KeySetError::NoUsableKey) } else { Ok(Self(keys)) }
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The key for a token. One without `kid` is taken when there is only one key that it can
    /// mean.
    pub(super) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<&Key, TokenError> {
        let Some(id) = id else {
            let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
            return match (fitting.next(), fitting.next()) {
                (Some(only), None) => Ok(only),
                (None, _) => Err(TokenError::AlgorithmMismatch),
                _ => Err(TokenError::UnknownKey),
            };
        };
        let mut named = self.0.iter().filter(|key| key.id.as_deref() == Some(id)).peekable();
        if named.peek().is_none() {
            return Err(TokenError::UnknownKey);
        }
        named.find(|key| key.algorithm == algorithm).ok_or(TokenError::AlgorithmMismatch)
    }
}

/// `None` for a key that is for something else, of a kind not known here, or damaged. Symmetric
/// keys are among them: a secret does not belong on a public address.
fn parse_key(raw: &RawValue) -> Option<Key> {
    let raw: RawKey = serde_json::from_str(raw.get()).ok()?;
    if raw.usage.as_deref().is_some_and(|usage| usage != "sig")
        || raw.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify"))
    {
        return None;
    }
    let (algorithm, key) = match (raw.kty.as_str(), raw.crv.as_deref()) {
        ("RSA", None) => (Algorithm::Rs256, rsa(&raw)?),
        ("EC", Some("P-256")) => (Algorithm::Es256, p256(&raw)?),
        ("OKP", Some("Ed25519")) => {
            (Algorithm::EdDsa, ParsedPublicKey::new(&ED25519, exactly_32(raw.x.as_deref())?).ok()?)
        }
        _ => return None,
    };
    if raw.alg.as_deref().is_some_and(|name| Algorithm::from_name(name) != Some(algorithm)) {
        return None;
    }
    Some(Key::from_public(raw.kid, algorithm, key))
}

fn rsa(raw: &RawKey) -> Option<ParsedPublicKey> {
    let decode = |part: &Option<String>| URL_SAFE_NO_PAD.decode(part.as_deref()?).ok();
    let (n, e) = (decode(&raw.n)?, decode(&raw.e)?);
    // Some issuers write the sign byte of DER in front.
    let n = &n[n.iter().position(|byte| *byte != 0)?..];
    check_rsa_size(n).ok()?;
    RsaPublicKeyComponents { n, e: &e }.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).ok()
}

fn p256(raw: &RawKey) -> Option<ParsedPublicKey> {
    // SEC 1, 2.3.3: an uncompressed point.
    let mut point = vec![4];
    point.extend(exactly_32(raw.x.as_deref())?);
    point.extend(exactly_32(raw.y.as_deref())?);
    ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()
}

fn exactly_32(part: Option<&str>) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(part?).ok()?.try_into().ok()
}
