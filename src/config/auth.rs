use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Problems, Secret, values};

/// `[auth]`: who a user is.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    #[serde(with = "values::optional")]
    pub hs256_secret: Option<Secret>,
    pub server_keys: Vec<Secret>,
    #[serde(with = "values::optional")]
    pub signing_secret: Option<Secret>,
    #[serde(with = "values::optional")]
    pub issuer: Option<String>,
    #[serde(with = "values::optional")]
    pub audience: Option<String>,
    pub public_key_files: Vec<PathBuf>,
    #[serde(with = "values::optional")]
    pub jwks_url: Option<String>,
    #[serde(with = "values::optional")]
    pub jwks_ca_file: Option<PathBuf>,
    #[serde(with = "values::duration")]
    pub jwks_refresh: Duration,
    #[serde(with = "values::duration")]
    pub jwks_min_refresh: Duration,
    #[serde(with = "values::duration")]
    pub jwks_timeout: Duration,
    #[serde(with = "values::duration")]
    pub leeway: Duration,
    pub auto_provision: bool,
    pub accounts: bool,
    #[serde(with = "values::duration")]
    pub session_ttl: Duration,
    pub password_hash_concurrency: usize,
    pub login_attempts_per_minute: u32,
}

impl Auth {
    pub(super) fn check(&self, problems: &mut Problems) {
        for file in &self.public_key_files {
            problems.file("auth.public_key_files", Some(file));
        }
        problems.file("auth.jwks_ca_file", self.jwks_ca_file.as_deref());
        if let Some(url) = &self.jwks_url
            && !url.starts_with("https://")
        {
            problems.rule(
                "auth.jwks_url must begin with https://: whoever can change the answer can be any user",
            );
        }
        problems.positive("auth.jwks_refresh", self.jwks_refresh);
        problems.positive("auth.jwks_min_refresh", self.jwks_min_refresh);
        problems.positive("auth.jwks_timeout", self.jwks_timeout);
        problems.positive("auth.session_ttl", self.session_ttl);
        problems.at_least("auth.password_hash_concurrency", self.password_hash_concurrency, 1);
        problems.at_least("auth.login_attempts_per_minute", self.login_attempts_per_minute as usize, 1);
        if self.server_keys.iter().any(|key| key.expose().is_empty()) {
            problems.rule("auth.server_keys has an empty key");
        }
    }

    /// Things that work but should not stay as they are.
    pub(super) fn warn(&self, warnings: &mut Vec<String>) {
        for (key, secret) in
            [("auth.hs256_secret", &self.hs256_secret), ("auth.signing_secret", &self.signing_secret)]
        {
            // RFC 7518, 3.2: a key at least as long as the hash.
            if secret.as_ref().is_some_and(|secret| secret.expose().len() < 32) {
                warnings.push(format!("{key} is shorter than 32 bytes and can be guessed"));
            }
        }
    }
}
