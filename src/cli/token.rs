use std::{
    path::PathBuf,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use clap::Args;
use jsonwebtoken::{EncodingKey, Header};
use serde::Serialize;
use uuid::Uuid;

use super::{Failure, args::data_dir, load_and_warn, print};
use crate::config::{Config, Secret, Sources, data_dir as kept};

/// `iss` and `kid` of the server's own tokens.
const OWN_ISSUER: &str = "tidings";
const OWN_KEY_ID: &str = "own";

/// Mint a token for development
///
/// Signed with auth.hs256_secret, else with auth.signing_secret, else with the secret that
/// `tidings dev` keeps in its data directory. Whoever has the token is the user until it
/// expires.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Example: tidings token --user alice --ttl 1h")]
pub struct TokenArgs {
    /// The user's id, 1 to 64 characters
    #[arg(long, value_name = "ID", value_parser = id)]
    pub user: String,
    /// How long it is valid
    #[arg(long, default_value = "1h", value_parser = humantime::parse_duration)]
    pub ttl: Duration,
    /// Bind it to this device, 1 to 64 characters
    #[arg(long, value_name = "ID", value_parser = id)]
    pub device_id: Option<String>,
    /// Data directory of `tidings dev` [default: embedded.data_dir]
    #[arg(long, value_name = "FOLDER")]
    pub data_dir: Option<PathBuf>,
}

impl TokenArgs {
    pub(super) fn run(self, mut sources: Sources) -> Result<(), Failure> {
        data_dir(&mut sources, self.data_dir.as_deref());
        let config = load_and_warn(&sources)?.config;
        let token = self.mint(&config, SystemTime::now())?;
        print(&format!("{token}\n"))
    }

    fn mint(&self, config: &Config, now: SystemTime) -> anyhow::Result<String> {
        let now = now.duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
        let claims = |issuer, audience| Claims {
            sub: &self.user,
            iat: now,
            exp: now.saturating_add(self.ttl.as_secs()),
            jti: Uuid::new_v4(),
            iss: issuer,
            aud: audience,
            device_id: self.device_id.as_deref(),
        };
        if let Some(secret) = &config.auth.hs256_secret {
            let (issuer, audience) = (config.auth.issuer.as_deref(), config.auth.audience.as_deref());
            return sign(&Header::default(), &claims(issuer, audience), secret);
        }
        let folder = &config.embedded.data_dir;
        let own = match &config.auth.signing_secret {
            Some(secret) => Some(secret.clone()),
            None => kept::signing_secret(folder)
                .with_context(|| format!("cannot read the secret in {}", folder.display()))?,
        };
        let own = own.with_context(|| {
            format!(
                "there is no secret to sign with: set auth.hs256_secret or auth.signing_secret, or start `tidings dev` once with --data-dir {}",
                folder.display(),
            )
        })?;
        let header = Header { kid: Some(OWN_KEY_ID.to_owned()), ..Header::default() };
        sign(&header, &claims(Some(OWN_ISSUER), None), &own)
    }
}

#[derive(Debug, Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: u64,
    exp: u64,
    jti: Uuid,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_id: Option<&'a str>,
}

fn sign(header: &Header, claims: &Claims<'_>, secret: &Secret) -> anyhow::Result<String> {
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    jsonwebtoken::encode(header, claims, &key).context("cannot sign the token")
}

fn id(text: &str) -> Result<String, &'static str> {
    match text.chars().count() {
        1..=64 if !text.chars().any(char::is_control) => Ok(text.to_owned()),
        _ => Err("an id has 1 to 64 characters and no control characters"),
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};

    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn args() -> TokenArgs {
        TokenArgs {
            user: "alice".to_owned(),
            ttl: Duration::from_secs(60),
            device_id: Some("phone".to_owned()),
            data_dir: None,
        }
    }

    fn claims(token: &str, secret: &str, audience: &[&str]) -> serde_json::Value {
        let mut validation = Validation::new(Algorithm::HS256);
        if !audience.is_empty() {
            validation.set_audience(audience);
        }
        let key = DecodingKey::from_secret(secret.as_bytes());
        decode::<serde_json::Value>(token, &key, &validation).unwrap().claims
    }

    #[test]
    fn the_shared_secret_signs_with_issuer_and_audience() {
        let mut config = Config::defaults();
        config.auth.hs256_secret = Some(Secret::new(SECRET));
        config.auth.issuer = Some("app".to_owned());
        config.auth.audience = Some("chat".to_owned());
        let token = args().mint(&config, SystemTime::now()).unwrap();
        let claims = claims(&token, SECRET, &["chat"]);
        assert_eq!(claims["sub"], "alice");
        assert_eq!(claims["iss"], "app");
        assert_eq!(claims["device_id"], "phone");
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
    }

    #[test]
    fn the_secret_that_dev_keeps_signs_the_servers_own_tokens() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::defaults();
        config.embedded.data_dir = folder.path().to_owned();
        let error = args().mint(&config, SystemTime::now()).unwrap_err();
        assert!(error.to_string().contains("auth.hs256_secret"), "{error}");
        let secret = kept::ensure_signing_secret(folder.path()).unwrap();
        let token = args().mint(&config, SystemTime::now()).unwrap();
        assert_eq!(claims(&token, secret.expose(), &[])["iss"], "tidings");
        assert_eq!(jsonwebtoken::decode_header(&token).unwrap().kid.as_deref(), Some("own"));
    }

    #[test]
    fn ids_have_1_to_64_characters() {
        assert!(id("").is_err());
        assert!(id(&"ä".repeat(64)).is_ok());
        assert!(id(&"a".repeat(65)).is_err());
        assert!(id("a\0b").is_err());
    }
}
