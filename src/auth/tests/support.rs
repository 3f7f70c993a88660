//! A fixed clock and tokens of any shape.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::auth::{Claims, Secret, Settings, TokenError, Verifier};

pub const NOW: u64 = 1_800_000_000;
pub const OWN_SECRET: &str = "the server's own secret, 32 bytes and more";
pub const SHARED_SECRET: &str = "a secret shared with the application, 32 bytes and more";

pub fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(NOW)
}

/// The server's own and a shared secret, nothing else.
pub fn secrets() -> Settings {
    Settings {
        own_secret: Some(Secret::new(OWN_SECRET)),
        hs256_secret: Some(Secret::new(SHARED_SECRET)),
        ..Settings::default()
    }
}

pub fn verifier(settings: &Settings) -> Verifier {
    Verifier::new(settings).expect("the settings of a test are usable").0
}

pub fn verify(settings: &Settings, token: &str) -> Result<Claims, TokenError> {
    verifier(settings).verify_cached(token, now())
}

/// Claims that are good now, with `changes` on top; `null` takes a claim away.
pub fn claims(changes: Value) -> Value {
    let mut claims = json!({ "sub": "ada", "exp": NOW + 60, "iat": NOW - 10 });
    for (name, value) in changes.as_object().expect("changes are an object") {
        if value.is_null() {
            claims.as_object_mut().expect("an object").remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

pub fn header(algorithm: Algorithm, kid: Option<&str>) -> Header {
    Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) }
}

pub fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).expect("a test can sign")
}

/// Signed with the shared secret.
pub fn shared(claims: &Value) -> String {
    let key = EncodingKey::from_secret(SHARED_SECRET.as_bytes());
    sign(&header(Algorithm::HS256, None), claims, &key)
}

/// Signed with the server's own secret, as the server itself would.
pub fn own(claims: &Value) -> String {
    let key = EncodingKey::from_secret(OWN_SECRET.as_bytes());
    sign(&header(Algorithm::HS256, Some("own")), claims, &key)
}

/// A token whose header is any JSON at all, signed with HMAC-SHA256 by `secret`.
pub fn by_hand(header: &Value, claims: &Value, secret: &[u8]) -> String {
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string())
    );
    let key = EncodingKey::from_secret(secret);
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("a test can sign");
    format!("{message}.{signature}")
}
