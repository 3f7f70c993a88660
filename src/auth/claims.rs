//! What a token says once its signature has been checked.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::compact::Text;
use super::error::TokenError;
use super::issuer::OWN_ISSUER;

/// How far the clocks of an issuer and of this server may differ, unless configured otherwise.
pub const LEEWAY: Duration = Duration::from_secs(5);

/// Which kind of key vouched for the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Made by [`super::Issuer`].
    Own,
    SharedSecret,
    PublicKey,
    Jwks,
}

/// A token's claims, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    pub user_id: String,
    /// Unix seconds. A socket closes then; the leeway is for handshakes only.
    pub expires_at: u64,
    /// Unix milliseconds; of a foreign token mostly whole seconds, rounded down.
    pub issued_at_ms: Option<u64>,
    /// The session of a built-in account; only own tokens have one.
    pub session_id: Option<Uuid>,
    /// The device that the token is bound to, if any.
    pub device_id: Option<String>,
    /// When present, the token is for this purpose only and must be refused for all else. Only
    /// own tokens: `scope` of a foreign token means something else.
    pub scope: Option<String>,
    pub kind: TokenKind,
}

impl Claims {
    /// Whether a revocation at `valid_after_ms` (unix milliseconds) hits this token. One that does
    /// not say when it was issued is hit: better to sign in once more than to stay after that.
    pub fn is_revoked_by(&self, valid_after_ms: u64) -> bool {
        self.issued_at_ms.is_none_or(|issued| issued < valid_after_ms)
    }
}

/// What is expected of `iss` and `aud`.
pub(super) struct Expected<'a> {
    pub(super) issuers: &'a [String],
    pub(super) audiences: &'a [String],
    /// For keys that belong to one issuer.
    pub(super) issuer_of_key: Option<&'a str>,
    pub(super) leeway: Duration,
}

#[derive(serde::Deserialize)]
struct RawClaims<'a> {
    #[serde(default)]
    sub: Option<String>,
    #[serde(default)]
    exp: Option<NumericDate>,
    #[serde(default)]
    nbf: Option<NumericDate>,
    #[serde(default)]
    iat: Option<NumericDate>,
    #[serde(borrow, default)]
    iss: Option<Text<'a>>,
    #[serde(borrow, default)]
    aud: Option<Audience<'a>>,
    // Raw, because another issuer may use these names for other things.
    #[serde(borrow, default)]
    sid: Option<&'a RawValue>,
    #[serde(borrow, default)]
    device_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    scope: Option<&'a RawValue>,
}

impl Claims {
    /// Reads `payload` (JSON) and applies every rule but the signature's.
    pub(super) fn check(
        payload: &[u8],
        kind: TokenKind,
        expected: &Expected<'_>,
        now: SystemTime,
    ) -> Result<Self, TokenError> {
        let raw: RawClaims<'_> = serde_json::from_slice(payload).map_err(|_| TokenError::Malformed)?;
        let now_ms = unix_ms(now);
        let leeway_ms = u64::try_from(expected.leeway.as_millis()).unwrap_or(u64::MAX);

        let expires_ms = raw.exp.ok_or(TokenError::MissingExpiry)?.ms();
        if now_ms >= expires_ms.saturating_add(leeway_ms) {
            return Err(TokenError::Expired);
        }
        if raw.nbf.is_some_and(|nbf| nbf.ms() > now_ms.saturating_add(leeway_ms)) {
            return Err(TokenError::NotYetValid);
        }
        let own = kind == TokenKind::Own;
        check_issuer(raw.iss.as_ref().map(|iss| &*iss.0), own, expected)?;
        if !own && !expected.audiences.is_empty() {
            let audience = raw.aud.as_ref().ok_or(TokenError::WrongAudience)?;
            if !expected.audiences.iter().any(|known| audience.names(known)) {
                return Err(TokenError::WrongAudience);
            }
        }
        let user_id = raw.sub.filter(|id| valid_user_id(id)).ok_or(TokenError::BadSubject)?;
        Ok(Self {
            user_id,
            expires_at: expires_ms / 1000,
            issued_at_ms: raw.iat.map(|iat| iat.ms()),
            session_id: if own { strict(raw.sid, |_: &Uuid| true)? } else { None },
            device_id: match strict(raw.device_id, |id: &String| valid_device_id(id)) {
                Err(_) if !own => None,
                device_id => device_id?,
            },
            scope: if own { strict(raw.scope, |s: &String| !s.is_empty())? } else { None },
            kind,
        })
    }
}

fn check_issuer(iss: Option<&str>, own: bool, expected: &Expected<'_>) -> Result<(), TokenError> {
    let right = if own {
        iss == Some(OWN_ISSUER)
    } else {
        let listed = expected.issuers.is_empty()
            || iss.is_some_and(|iss| expected.issuers.iter().any(|known| known == iss));
        listed && expected.issuer_of_key.is_none_or(|of_key| iss == Some(of_key))
    };
    if right { Ok(()) } else { Err(TokenError::WrongIssuer) }
}

/// A claim that may be absent but not wrong.
fn strict<'a, T: serde::Deserialize<'a>>(
    raw: Option<&'a RawValue>,
    valid: impl Fn(&T) -> bool,
) -> Result<Option<T>, TokenError> {
    let Some(raw) = raw else { return Ok(None) };
    let value: Option<T> = serde_json::from_str(raw.get()).map_err(|_| TokenError::Malformed)?;
    match value {
        Some(value) if !valid(&value) => Err(TokenError::Malformed),
        value => Ok(value),
    }
}

/// A user id is the application's own string of 1 to 64 characters without control characters;
/// `me` is taken by the HTTP routes.
pub fn valid_user_id(id: &str) -> bool {
    id != "me" && is_plain_name(id)
}

/// The client's own name for a device: 1 to 64 characters without control characters.
pub fn valid_device_id(id: &str) -> bool {
    is_plain_name(id)
}

fn is_plain_name(text: &str) -> bool {
    // A character has at most four bytes: no need to count those of a megabyte.
    !text.is_empty()
        && text.len() <= 64 * 4
        && text.chars().count() <= 64
        && !text.chars().any(char::is_control)
}

pub(super) fn unix_ms(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Seconds since 1970, with or without a fraction (RFC 7519, 2).
#[derive(Clone, Copy)]
struct NumericDate(f64);

impl NumericDate {
    /// Milliseconds; what lies before 1970 counts as 1970, what lies too far ahead as for ever.
    fn ms(self) -> u64 {
        (self.0 * 1000.0).round() as u64
    }
}

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = NumericDate;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("seconds since 1970")
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<NumericDate, E> {
                Ok(NumericDate(seconds as f64))
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<NumericDate, E> {
                Ok(NumericDate(seconds as f64))
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<NumericDate, E> {
                Ok(NumericDate(seconds))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// `aud` is one name or a list of names (RFC 7519, 4.1.3).
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(#[serde(borrow)] Text<'a>),
    Many(#[serde(borrow)] Vec<Text<'a>>),
}

impl Audience<'_> {
    fn names(&self, wanted: &str) -> bool {
        match self {
            Self::One(name) => name.0 == wanted,
            Self::Many(names) => names.iter().any(|name| name.0 == wanted),
        }
    }
}
