//! The rules that hold for every token, shown on HS256.

use std::time::Duration;

use serde_json::{Value, json};
use uuid::Uuid;

use super::support::*;
use crate::auth::*;

fn refusal(token: &str) -> TokenError {
    verify(&secrets(), token).expect_err("the token must be refused")
}

#[test]
fn a_token_of_the_shared_secret_says_who_it_is() {
    let claims = verify(&secrets(), &shared(&claims(json!({})))).unwrap();
    assert_eq!(claims.user_id, "ada");
    assert_eq!(claims.expires_at, NOW + 60);
    assert_eq!(claims.issued_at_ms, Some((NOW - 10) * 1000));
    assert_eq!(claims.kind, TokenKind::SharedSecret);
}

#[test]
fn an_own_token_comes_back_as_it_was_minted() {
    let issuer = Issuer::new(&Secret::new(OWN_SECRET));
    let session = Uuid::now_v7();
    let at = now() + Duration::from_millis(123);
    let grant = Grant::new("ada", Duration::from_secs(60)).session(session).device("phone");
    let minted = issuer.mint(&grant.scope("ack"), at).unwrap();
    let claims = verifier(&secrets()).verify_cached(&minted.token, at).unwrap();
    assert_eq!(
        claims,
        Claims {
            user_id: "ada".into(),
            expires_at: NOW + 61,
            issued_at_ms: Some(NOW * 1000 + 123),
            session_id: Some(session),
            device_id: Some("phone".into()),
            scope: Some("ack".into()),
            kind: TokenKind::Own,
        }
    );
    assert_eq!(minted.expires_at, claims.expires_at);
    assert!(!format!("{minted:?}").contains(&minted.token));
}

#[test]
fn an_independent_library_reads_an_own_token() {
    let issuer = Issuer::new(&Secret::new(OWN_SECRET));
    let at = std::time::SystemTime::now();
    let minted = issuer.mint(&Grant::new("ada", Duration::from_secs(60)), at).unwrap();
    let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::HS256);
    validation.set_issuer(&[OWN_ISSUER]);
    let key = jsonwebtoken::DecodingKey::from_secret(OWN_SECRET.as_bytes());
    let data = jsonwebtoken::decode::<Value>(&minted.token, &key, &validation).unwrap();
    assert_eq!(data.header.kid.as_deref(), Some(OWN_KEY_ID));
    assert_eq!(data.claims["sub"], "ada");
    assert!(data.claims["jti"].as_str().unwrap().parse::<Uuid>().is_ok());
}

#[test]
fn what_no_verifier_takes_is_not_minted() {
    let issuer = Issuer::new(&Secret::new(OWN_SECRET));
    let day = Duration::from_secs(86_400);
    let mint = |grant: Grant<'_>| issuer.mint(&grant, now()).map(|_| ());
    assert_eq!(mint(Grant::new("", day)), Err(MintError::BadUserId));
    assert_eq!(mint(Grant::new("me", day)), Err(MintError::BadUserId));
    assert_eq!(mint(Grant::new("ada", day).device("a\nb")), Err(MintError::BadDeviceId));
    assert_eq!(mint(Grant::new("ada", day).scope("")), Err(MintError::EmptyScope));
}

#[test]
fn expiry_is_required_and_has_five_seconds_of_leeway() {
    let ends = |exp: Value| shared(&claims(json!({ "exp": exp })));
    assert!(verify(&secrets(), &ends(json!(NOW - 4))).is_ok());
    assert!(verify(&secrets(), &ends(json!(NOW as f64 - 4.5))).is_ok());
    assert_eq!(refusal(&ends(json!(NOW - 5))), TokenError::Expired);
    assert_eq!(refusal(&ends(json!(0))), TokenError::Expired);
    assert_eq!(refusal(&ends(json!(-1e300))), TokenError::Expired);
    assert_eq!(refusal(&ends(Value::Null)), TokenError::MissingExpiry);
    assert_eq!(refusal(&ends(json!("soon"))), TokenError::Malformed);
    assert!(verify(&secrets(), &ends(json!(1e300))).is_ok());
}

#[test]
fn a_token_before_its_time_is_refused_beyond_the_leeway() {
    let begins = |nbf: u64| shared(&claims(json!({ "nbf": nbf })));
    assert!(verify(&secrets(), &begins(NOW + 5)).is_ok());
    assert_eq!(refusal(&begins(NOW + 6)), TokenError::NotYetValid);
}

#[test]
fn an_unsigned_token_is_refused_however_it_spells_none() {
    for alg in ["none", "None", "NONE", "nOnE", ""] {
        let header = json!({ "alg": alg, "typ": "JWT" });
        let signed = by_hand(&header, &claims(json!({})), SHARED_SECRET.as_bytes());
        assert_eq!(refusal(&signed), TokenError::AlgorithmMismatch, "{alg:?}");
        let unsigned = &signed[..=signed.rfind('.').unwrap()];
        assert_eq!(refusal(unsigned), TokenError::AlgorithmMismatch, "{alg:?}");
    }
}

#[test]
fn an_empty_or_changed_signature_is_refused() {
    let token = shared(&claims(json!({})));
    let (message, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(refusal(&format!("{message}.")), TokenError::BadSignature);
    assert_eq!(refusal(&format!("{message}.{}", &signature[..40])), TokenError::BadSignature);
    let other = claims(json!({ "sub": "mallory" }));
    let (other, _) = shared(&other).rsplit_once('.').map(|(m, s)| (m.to_owned(), s.len())).unwrap();
    assert_eq!(refusal(&format!("{other}.{signature}")), TokenError::BadSignature);
}

#[test]
fn other_hmac_sizes_are_refused_even_with_the_right_secret() {
    use jsonwebtoken::{Algorithm, EncodingKey};
    let key = EncodingKey::from_secret(SHARED_SECRET.as_bytes());
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = sign(&header(algorithm, None), &claims(json!({})), &key);
        assert_eq!(refusal(&token), TokenError::AlgorithmMismatch);
    }
}

#[test]
fn the_shared_secret_cannot_make_own_tokens() {
    let mine = claims(json!({ "iss": "tidings" }));
    let header = json!({ "alg": "HS256", "kid": "own" });
    let forged = by_hand(&header, &mine, SHARED_SECRET.as_bytes());
    assert_eq!(refusal(&forged), TokenError::BadSignature);
    assert_eq!(verify(&secrets(), &shared(&mine)).unwrap().kind, TokenKind::SharedSecret);
}

#[test]
fn an_own_token_needs_the_own_issuer() {
    assert!(verify(&secrets(), &own(&claims(json!({ "iss": "tidings" })))).is_ok());
    assert_eq!(refusal(&own(&claims(json!({})))), TokenError::WrongIssuer);
    assert_eq!(refusal(&own(&claims(json!({ "iss": "other" })))), TokenError::WrongIssuer);
}

#[test]
fn sessions_and_scopes_of_foreign_tokens_mean_nothing_here() {
    let foreign = claims(json!({ "sid": "not-a-uuid", "scope": "openid email", "device_id": 7 }));
    let read = verify(&secrets(), &shared(&foreign)).unwrap();
    assert_eq!((read.session_id, read.scope, read.device_id), (None, None, None));
    let bound = verify(&secrets(), &shared(&claims(json!({ "device_id": "phone" })))).unwrap();
    assert_eq!(bound.device_id.as_deref(), Some("phone"));
    for wrong in [json!({ "sid": "x" }), json!({ "scope": "" }), json!({ "device_id": 7 })] {
        let mut wrong = claims(wrong);
        wrong["iss"] = json!("tidings");
        assert_eq!(refusal(&own(&wrong)), TokenError::Malformed);
    }
}

#[test]
fn issuer_and_audience_are_checked_when_configured() {
    let settings = Settings {
        issuers: vec!["https://id.example".into(), "second".into()],
        audiences: vec!["chat".into(), "app".into()],
        ..secrets()
    };
    let good = json!({ "iss": "https://id.example", "aud": "chat" });
    let with = |name: &str, value: Value| {
        let mut changes = good.clone();
        changes[name] = value;
        verify(&settings, &shared(&claims(changes))).map(|c| c.user_id)
    };
    assert!(with("iss", json!("second")).is_ok());
    assert!(with("aud", json!(["other", "app"])).is_ok());
    for iss in [json!(null), json!("https://id.example/"), json!("")] {
        assert_eq!(with("iss", iss), Err(TokenError::WrongIssuer));
    }
    for aud in [json!(null), json!("cha"), json!([]), json!(["other"]), json!("chat app")] {
        assert_eq!(with("aud", aud), Err(TokenError::WrongAudience));
    }
    // Not of the server's own, which have no audience.
    assert!(verify(&settings, &own(&claims(json!({ "iss": "tidings" })))).is_ok());
}

#[test]
fn the_subject_has_to_be_a_user_id() {
    let of = |sub: Value| verify(&secrets(), &shared(&claims(json!({ "sub": sub }))));
    for good in ["a", "user@example.com", "Käthe ✓", &"é".repeat(64), "..", "a b"] {
        assert_eq!(of(json!(good)).unwrap().user_id, good);
    }
    for bad in ["", "me", "a\0b", "a\nb", "\u{85}", &"é".repeat(65), &"x".repeat(5000)] {
        assert_eq!(of(json!(bad)).unwrap_err(), TokenError::BadSubject, "{bad:?}");
    }
    assert_eq!(of(json!(null)).unwrap_err(), TokenError::BadSubject);
    assert_eq!(of(json!(7)).unwrap_err(), TokenError::Malformed);
}

#[test]
fn keys_that_a_token_brings_along_are_ignored() {
    for extra in [
        json!({ "jku": "https://evil.example/keys" }),
        json!({ "jwk": { "kty": "oct", "k": "ZXZpbA" } }),
        json!({ "jwk": 7, "x5u": ["not", "a", "url"], "x5c": {} }),
    ] {
        let mut header = json!({ "alg": "HS256" });
        header.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let good = by_hand(&header, &claims(json!({})), SHARED_SECRET.as_bytes());
        assert!(verify(&secrets(), &good).is_ok());
        let evil = by_hand(&header, &claims(json!({})), b"evil");
        assert_eq!(refusal(&evil), TokenError::BadSignature);
    }
}

#[test]
fn what_is_not_a_token_is_malformed() {
    let good = shared(&claims(json!({})));
    let (header, rest) = good.split_once('.').unwrap();
    let long = shared(&claims(json!({ "padding": "x".repeat(9000) })));
    let critical = json!({ "alg": "HS256", "crit": ["b64"], "b64": false });
    let critical = by_hand(&critical, &claims(json!({})), SHARED_SECRET.as_bytes());
    let twice = format!("{header}.{rest}.{rest}");
    let padded = format!("{good}=");
    let not_json = by_hand(&json!("text"), &claims(json!({})), SHARED_SECRET.as_bytes());
    let no_object = by_hand(&json!({ "alg": "HS256" }), &json!("ada"), SHARED_SECRET.as_bytes());
    let no_alg = by_hand(&json!({}), &claims(json!({})), SHARED_SECRET.as_bytes());
    for bad in
        ["", ".", "..", "a.b.c", header, &long, &critical, &twice, &padded, &not_json, &no_object, &no_alg]
    {
        assert_eq!(refusal(bad), TokenError::Malformed, "{bad:.80}");
    }
}

#[test]
fn a_revocation_hits_what_was_issued_before_it_and_what_does_not_say() {
    let at = |iat: Value| verify(&secrets(), &shared(&claims(json!({ "iat": iat })))).unwrap();
    let revoked_at = NOW * 1000 + 500;
    assert!(at(json!(NOW)).is_revoked_by(revoked_at));
    assert!(at(json!(NOW as f64 + 0.499)).is_revoked_by(revoked_at));
    assert!(!at(json!(NOW as f64 + 0.5)).is_revoked_by(revoked_at));
    assert!(at(json!(null)).is_revoked_by(revoked_at));
}

#[test]
fn weak_settings_are_warned_about_and_still_work() {
    let same = Some(Secret::new("short"));
    let settings = Settings { own_secret: same.clone(), hs256_secret: same, ..Settings::default() };
    let (_, warnings) = Verifier::new(&settings).unwrap();
    let expected = [Warning::ShortOwnSecret, Warning::ShortSharedSecret, Warning::SameSecrets];
    assert_eq!(warnings, expected);
    assert!(!format!("{settings:?}").contains("short"));
    assert_eq!(Verifier::new(&Settings::default()).unwrap().1, [Warning::NoKeys]);
    assert!(Verifier::new(&secrets()).unwrap().1.is_empty());
    let empty = Settings { own_secret: Some(Secret::new("")), ..Settings::default() };
    assert!(matches!(Verifier::new(&empty), Err(SetupError::EmptySecret)));
}
