//! Who is it? Tokens, server keys and passwords.
//!
//! A token is a JWT (protocol.md, "Connecting"). [`Verifier`] turns it into [`Claims`] or into a
//! [`TokenError`] with a stable reason; [`Issuer`] makes the server's own. The rules that a token
//! cannot talk its way around:
//!
//! * an algorithm belongs to a key, never to a token: `none` and everything but HS256, RS256,
//!   ES256 and EdDSA is refused, and so is a token whose `alg` is not that of its key;
//! * keys come from the configuration alone: `jku`, `jwk`, `x5u` and `x5c` are not even read, and
//!   a token with `crit` asks for something that nobody here understands, so it is refused;
//! * `exp` is required, `nbf` is checked, `iss` and `aud` when configured, with [`LEEWAY`].
//!
//! Nothing here knows users, sessions or sockets: whether a session still lives, a user is
//! deactivated, or a token was issued before a revocation is for the caller to compare.

mod ack_tokens;
mod attempts;
mod bearer;
mod claims;
mod compact;
mod error;
mod issuer;
mod jwks;
mod key;
mod key_files;
mod key_set;
mod passwords;
mod server_keys;
mod settings;
mod verifier;

#[cfg(test)]
mod tests;

pub use ack_tokens::{AckScope, AckTokens, own_secret};
pub(crate) use attempts::network_of;
pub use attempts::{AttemptLimiter, AttemptLimits, TooManyAttempts};
pub use bearer::{BearerError, bearer};
pub use claims::{Claims, LEEWAY, TokenKind, valid_device_id, valid_user_id};
pub use error::{SetupError, TokenError};
pub use issuer::{Grant, Issuer, MintError, Minted, OWN_ISSUER, OWN_KEY_ID};
pub use passwords::{PasswordCheck, PasswordError, PasswordSettings, Passwords};
pub use server_keys::ServerKeys;
pub use settings::{JwksSettings, PublicKeyFile, Secret, Settings, Warning};
pub use verifier::Verifier;
