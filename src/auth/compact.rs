//! The three parts of a token, taken apart but not believed.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::error::TokenError;

/// Longer tokens are refused unread. Identity providers stay below 4 KiB; HTTP servers refuse
/// header lines above 8 KiB anyway.
pub(super) const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// A JWS in compact form (RFC 7515, 3.1).
pub(super) struct Compact<'a> {
    /// What was signed: header and payload, still encoded.
    pub(super) message: &'a [u8],
    /// The decoded header, as JSON.
    header: Vec<u8>,
    payload: &'a str,
    pub(super) signature: Vec<u8>,
}

/// All that is read of a header. What it does not list (`jku`, `jwk`, `x5u`, `x5c`) has no effect.
#[derive(Deserialize)]
pub(super) struct Header<'a> {
    #[serde(borrow)]
    pub(super) alg: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) kid: Option<Text<'a>>,
    #[serde(default)]
    crit: Option<IgnoredAny>,
}

/// Text that is borrowed when it holds no escapes; inside an `Option` serde needs the newtype.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl<'a> Compact<'a> {
    pub(super) fn split(token: &'a str) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::Malformed);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        Ok(Self {
            message: message.as_bytes(),
            header: decode(header)?,
            payload,
            signature: decode(signature)?,
        })
    }

    pub(super) fn header(&self) -> Result<Header<'_>, TokenError> {
        let header: Header<'_> = serde_json::from_slice(&self.header).map_err(|_| TokenError::Malformed)?;
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        Ok(header)
    }

    /// The claims as JSON. Only to be called once the signature has been checked.
    pub(super) fn payload(&self) -> Result<Vec<u8>, TokenError> {
        decode(self.payload)
    }
}

/// Base64url without padding and without stray bits, so that no two texts are the same token.
fn decode(part: &str) -> Result<Vec<u8>, TokenError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenError::Malformed)
}
