//! Tokens of public keys from files.

use std::path::PathBuf;

use jsonwebtoken::Algorithm;
use serde_json::json;
use tempfile::TempDir;

use super::pairs::{Pair, pem};
use super::support::*;
use crate::auth::*;

pub fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn with_files(files: Vec<PublicKeyFile>) -> Settings {
    Settings { public_keys: files, ..Settings::default() }
}

#[test]
fn every_algorithm_verifies_with_its_pem_file() {
    let folder = tempfile::tempdir().unwrap();
    for pair in Pair::one_of_each() {
        let path = write(&folder, "key.pem", &pair.public_pem);
        let settings = with_files(vec![path.into()]);
        for kid in [None, Some("whatever")] {
            let read = verify(&settings, &pair.sign(kid, &claims(json!({})))).unwrap();
            assert_eq!((&*read.user_id, read.kind), ("ada", TokenKind::PublicKey));
        }
    }
}

#[test]
fn a_token_of_another_pair_is_a_bad_signature() {
    let folder = tempfile::tempdir().unwrap();
    for (known, other) in Pair::one_of_each().iter().zip(Pair::one_of_each()) {
        let path = write(&folder, "key.pem", &known.public_pem);
        let result = verify(&with_files(vec![path.into()]), &other.sign(None, &claims(json!({}))));
        assert_eq!(result.unwrap_err(), TokenError::BadSignature);
    }
}

#[test]
fn a_public_key_used_as_an_hmac_secret_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for pair in Pair::one_of_each() {
        let path = write(&folder, "key.pem", &pair.public_pem);
        let public = with_files(vec![path.into()]);
        let both = Settings { public_keys: public.public_keys.clone(), ..secrets() };
        let der = rustls_pki_types::pem::PemObject::from_pem_slice(pair.public_pem.as_bytes());
        let der: rustls_pki_types::SubjectPublicKeyInfoDer<'_> = der.unwrap();
        let trimmed = pair.public_pem.trim_end().as_bytes();
        for secret in [pair.public_pem.as_bytes(), trimmed, der.as_ref(), b""] {
            let header = json!({ "alg": "HS256", "typ": "JWT" });
            let forged = by_hand(&header, &claims(json!({})), secret);
            assert_eq!(verify(&public, &forged), Err(TokenError::AlgorithmMismatch));
            assert_eq!(verify(&both, &forged), Err(TokenError::BadSignature));
        }
    }
}

#[test]
fn a_token_that_claims_another_public_algorithm_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let [rsa, p256, ed25519] = Pair::one_of_each();
    let all = format!("{}{}{}", rsa.public_pem, p256.public_pem, ed25519.public_pem);
    let all = with_files(vec![write(&folder, "all.pem", &all).into()]);
    let only_p256 = with_files(vec![write(&folder, "p256.pem", &p256.public_pem).into()]);
    let token = rsa.sign(None, &claims(json!({})));
    assert!(verify(&all, &token).is_ok());
    assert_eq!(verify(&only_p256, &token), Err(TokenError::AlgorithmMismatch));
    let relabelled = |alg: &str| {
        let header = json!({ "alg": alg });
        let (message, _) = by_hand(&header, &claims(json!({})), b"x")
            .rsplit_once('.')
            .map(|(m, s)| (m.to_owned(), s.len()))
            .unwrap();
        format!("{message}.{}", token.rsplit_once('.').unwrap().1)
    };
    assert_eq!(verify(&all, &relabelled("ES256")), Err(TokenError::BadSignature));
    assert_eq!(verify(&all, &relabelled("EdDSA")), Err(TokenError::BadSignature));
    for unknown in ["RS384", "RS512", "PS256", "ES384", "ES256K", "rs256"] {
        assert_eq!(verify(&all, &relabelled(unknown)), Err(TokenError::AlgorithmMismatch));
    }
}

#[test]
fn an_own_token_cannot_be_made_with_a_public_algorithm() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::p256();
    let path = write(&folder, "key.pem", &pair.public_pem);
    let settings = Settings { public_keys: vec![path.into()], ..secrets() };
    let token = pair.sign(Some("own"), &claims(json!({ "iss": "tidings" })));
    assert_eq!(verify(&settings, &token), Err(TokenError::AlgorithmMismatch));
}

#[test]
fn a_named_file_takes_only_tokens_of_its_name_or_of_none() {
    let folder = tempfile::tempdir().unwrap();
    let pair = Pair::p256();
    let path = write(&folder, "key.pem", &pair.public_pem);
    let settings = with_files(vec![PublicKeyFile { path, key_id: Some("k1".into()) }]);
    let of = |kid| verify(&settings, &pair.sign(kid, &claims(json!({})))).map(|c| c.user_id);
    assert!(of(Some("k1")).is_ok());
    assert!(of(None).is_ok());
    assert_eq!(of(Some("k2")), Err(TokenError::UnknownKey));
    assert_eq!(of(Some("")), Err(TokenError::UnknownKey));
}

#[test]
fn two_keys_of_one_algorithm_are_both_good_while_they_rotate() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (Pair::p256(), Pair::p256());
    let files = [("old", &old), ("new", &new)];
    let files = files.map(|(name, pair)| write(&folder, name, &pair.public_pem).into());
    let settings = with_files(files.to_vec());
    for pair in [&old, &new] {
        assert!(verify(&settings, &pair.sign(None, &claims(json!({})))).is_ok());
    }
    let third = Pair::p256().sign(None, &claims(json!({})));
    assert_eq!(verify(&settings, &third), Err(TokenError::BadSignature));
}

#[test]
fn files_that_hold_no_usable_public_key_are_refused_at_start() {
    use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
    use aws_lc_rs::signature::{ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let p384: PublicKeyX509Der<'_> = p384.public_key().as_der().unwrap();
    let certificate = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (text, problem) in [
        (String::new(), "no PEM block"),
        ("not a key".to_owned(), "no PEM block"),
        (certificate.cert.pem(), "no PEM block"),
        (Pair::p256().private_pem, "private key"),
        (pem("PUBLIC KEY", p384.as_ref()), "neither an RSA"),
        (pem("PUBLIC KEY", b"nonsense"), "neither an RSA"),
        ("-----BEGIN PUBLIC KEY-----\n!!\n-----END PUBLIC KEY-----\n".to_owned(), "not PEM"),
        (Pair::ed25519().public_pem.repeat(33), "more than 32 keys"),
    ] {
        let settings = with_files(vec![write(&folder, "key.pem", &text).into()]);
        let error = Verifier::new(&settings).err().expect("refused").to_string();
        assert!(error.contains(problem) && error.contains("key.pem"), "{error}");
    }
    let missing = with_files(vec![folder.path().join("missing.pem").into()]);
    assert!(matches!(Verifier::new(&missing), Err(SetupError::ReadKeyFile { .. })));
}

#[test]
fn an_rsa_key_that_can_be_broken_is_refused_at_start() {
    // A public key of 1024 bits is put together by hand: nothing here makes one.
    let modulus = [&[0, 0xc5][..], &[0x5a; 126], &[1]].concat();
    let folder = tempfile::tempdir().unwrap();
    let integer = |bytes: &[u8]| der(0x02, bytes);
    let key = der(0x30, &[integer(&modulus), integer(&[1, 0, 1])].concat());
    let rsa_encryption = [0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1, 5, 0];
    let bits = der(0x03, &[&[0][..], &key].concat());
    let spki = der(0x30, &[&rsa_encryption[..], &bits].concat());
    let settings = with_files(vec![write(&folder, "key.pem", &pem("PUBLIC KEY", &spki)).into()]);
    let error = Verifier::new(&settings).err().expect("refused").to_string();
    assert!(error.contains("below 2048"), "{error}");
}

/// One DER value of up to 255 bytes.
fn der(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = u8::try_from(contents.len()).unwrap();
    let length = if length < 128 { vec![length] } else { vec![0x81, length] };
    [&[tag][..], &length, contents].concat()
}

#[test]
fn the_algorithm_names_of_the_library_and_of_the_header_agree() {
    // What `sign` of these tests writes into headers, so that a typo cannot make them pass.
    let token = Pair::ed25519().sign(None, &claims(json!({})));
    assert_eq!(jsonwebtoken::decode_header(&token).unwrap().alg, Algorithm::EdDSA);
}
