//! One key and its one algorithm.

use aws_lc_rs::hmac;
use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};
use rustls_pki_types::pem::{self, PemObject, SectionKind};

use super::error::{KeyProblem, TokenError};

/// More keys than this in one file or set is a mistake, and each costs a signature check.
pub(super) const MAX_KEYS: usize = 32;

/// The algorithms that are believed. `none` is not among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Rs256,
    Es256,
    EdDsa,
}

impl Algorithm {
    /// By its name in RFC 7518 and 8037; RFC 9864 calls EdDSA with Ed25519 by the curve.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        match name {
            "HS256" => Some(Self::Hs256),
            "RS256" => Some(Self::Rs256),
            "ES256" => Some(Self::Es256),
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            _ => None,
        }
    }
}

enum Material {
    // Boxed: it is twenty times the size of the other.
    Secret(Box<hmac::Key>),
    /// Parsed once, so that a check costs no parsing.
    Public(ParsedPublicKey),
}

/// A key that verifies tokens of exactly one algorithm.
pub(super) struct Key {
    pub(super) id: Option<String>,
    pub(super) algorithm: Algorithm,
    material: Material,
}

impl Key {
    pub(super) fn from_secret(secret: &[u8]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        Self { id: None, algorithm: Algorithm::Hs256, material: Material::Secret(Box::new(key)) }
    }

    pub(super) fn from_public(id: Option<String>, algorithm: Algorithm, key: ParsedPublicKey) -> Self {
        Self { id, algorithm, material: Material::Public(key) }
    }

    /// From the DER of a `SubjectPublicKeyInfo`; its type decides the algorithm.
    fn from_spki(id: Option<String>, der: &[u8]) -> Result<Self, KeyProblem> {
        if let Ok(rsa) = RsaPublicKey::from_der(der) {
            check_rsa_size(rsa.modulus().big_endian_without_leading_zero())?;
        }
        if let Ok(key) = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der) {
            return Ok(Self::from_public(id, Algorithm::Rs256, key));
        }
        if let Ok(key) = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, der) {
            return Ok(Self::from_public(id, Algorithm::Es256, key));
        }
        match ParsedPublicKey::new(&ED25519, der) {
            Ok(key) => Ok(Self::from_public(id, Algorithm::EdDsa, key)),
            Err(_) => Err(KeyProblem::UnsupportedKey),
        }
    }

    /// All the public keys of a PEM file. A private key there is an error: it does not belong
    /// on this machine.
    pub(super) fn all_from_pem(id: Option<&str>, text: &[u8]) -> Result<Vec<Self>, KeyProblem> {
        let mut keys = Vec::new();
        for block in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
            let (kind, der) = block.map_err(|_: pem::Error| KeyProblem::NotPem)?;
            match kind {
                SectionKind::PublicKey => keys.push(Self::from_spki(id.map(str::to_owned), &der)?),
                SectionKind::PrivateKey | SectionKind::RsaPrivateKey | SectionKind::EcPrivateKey => {
                    return Err(KeyProblem::PrivateKey);
                }
                _ => {}
            }
            if keys.len() > MAX_KEYS {
                return Err(KeyProblem::TooManyKeys);
            }
        }
        if keys.is_empty() { Err(KeyProblem::NoPublicKey) } else { Ok(keys) }
    }

    /// Checks `signature` over `message`. The caller has compared the algorithms.
    pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        let verified = match &self.material {
            Material::Secret(key) => hmac::verify(key, message, signature),
            Material::Public(key) => key.verify_sig(message, signature),
        };
        verified.map_err(|_| TokenError::BadSignature)
    }
}

/// `modulus` is big-endian without leading zeros. The check of a signature would refuse such a
/// key as well, but later, and as a bad signature.
pub(super) fn check_rsa_size(modulus: &[u8]) -> Result<(), KeyProblem> {
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |b| b.leading_zeros() as usize);
    if (2048..=8192).contains(&bits) { Ok(()) } else { Err(KeyProblem::RsaSize) }
}
