//! Which keys of a JWKS are taken.

use serde_json::{Value, json};

use super::pairs::Pair;
use crate::auth::TokenError;
use crate::auth::key::Algorithm;
use crate::auth::key_set::{KeySet, KeySetError};

fn parse(keys: &[Value]) -> Result<KeySet, KeySetError> {
    KeySet::parse(json!({ "keys": keys, "more": true }).to_string().as_bytes())
}

fn changed(pair: &Pair, name: &str, value: Value) -> Value {
    let mut jwk = pair.jwk.clone();
    jwk[name] = value;
    jwk
}

#[test]
fn usable_keys_are_taken_and_the_others_left_out() {
    let [rsa, p256, ed25519] = Pair::one_of_each();
    let set = parse(&[
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "eHg" }),
        json!("nonsense"),
        rsa.jwk_named("r"),
        p256.jwk_named("p"),
        ed25519.jwk_named("e"),
    ])
    .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(set.len(), 3);
    for (id, algorithm) in [("r", Algorithm::Rs256), ("p", Algorithm::Es256), ("e", Algorithm::EdDsa)] {
        assert!(set.find(Some(id), algorithm).is_ok());
        assert!(set.find(None, algorithm).is_ok());
    }
    assert_eq!(set.find(Some("r"), Algorithm::Es256).err(), Some(TokenError::AlgorithmMismatch));
    assert_eq!(set.find(Some("R"), Algorithm::Rs256).err(), Some(TokenError::UnknownKey));
}

#[test]
fn a_token_without_kid_needs_an_unambiguous_set() {
    let set = parse(&[Pair::p256().jwk_named("a"), Pair::p256().jwk_named("b")]);
    let set = set.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(set.find(None, Algorithm::Es256).err(), Some(TokenError::UnknownKey));
    assert_eq!(set.find(None, Algorithm::Rs256).err(), Some(TokenError::AlgorithmMismatch));
}

#[test]
fn keys_for_other_purposes_and_damaged_ones_are_not_taken() {
    let [rsa, p256, ed25519] = Pair::one_of_each();
    for useless in [
        json!({ "kty": "oct", "k": "c2VjcmV0", "alg": "HS256" }),
        changed(&rsa, "use", json!("enc")),
        changed(&rsa, "alg", json!("PS256")),
        changed(&rsa, "alg", json!("HS256")),
        changed(&rsa, "n", json!("AQAB")),
        changed(&rsa, "n", json!("AAAA")),
        changed(&rsa, "e", json!("!")),
        changed(&p256, "key_ops", json!(["encrypt"])),
        changed(&p256, "crv", json!("P-384")),
        changed(&p256, "x", json!("AAAA")),
        changed(&p256, "y", p256.jwk["x"].clone()),
        changed(&ed25519, "crv", json!("X25519")),
        changed(&ed25519, "x", json!(7)),
    ] {
        assert_eq!(parse(std::slice::from_ref(&useless)).err(), Some(KeySetError::NoUsableKey), "{useless}");
    }
}

#[test]
fn what_is_not_a_set_or_is_too_large_is_refused() {
    assert_eq!(KeySet::parse(b"<html>").err(), Some(KeySetError::NotASet));
    assert_eq!(KeySet::parse(b"{}").err(), Some(KeySetError::NotASet));
    assert_eq!(parse(&[]).err(), Some(KeySetError::NoUsableKey));
    let many = vec![Pair::ed25519().jwk; 33];
    assert_eq!(parse(&many).err(), Some(KeySetError::TooMany));
}
