use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use hyper::Method;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answers, Asked, Said};
use super::apns_request::{arrived, check_request};
use super::credentials::Credentials;
use super::{FakeError, Options, Service, World};
use crate::push::provider::Platform;

/// Apple takes tokens up to an hour old and asks not to renew them within 20 minutes.
const TOKEN_LIFE: u64 = 3600;
const RENEW_AT_MOST_EVERY: u64 = 1200;

/// Apple's push service.
pub(super) struct Apns {
    world: Arc<World>,
    /// By their ids.
    keys: Mutex<HashMap<String, Key>>,
    team_id: &'static str,
    topics: Vec<String>,
}

/// A signing key of the team and what came of it.
struct Key {
    verifier: DecodingKey,
    tokens: Tokens,
}

#[derive(Default)]
struct Tokens {
    /// Those that were accepted within their hour and when they were signed, so that a signature is checked once.
    accepted: HashMap<String, u64>,
    /// When the newest was signed.
    newest: Option<u64>,
    /// It was refused, so a new one is expected early.
    refused: bool,
}

/// A status and Apple's word for it.
pub(super) struct Refusal(pub u16, pub &'static str);

#[derive(Deserialize)]
struct Claims {
    iss: String,
    iat: u64,
}

impl Apns {
    pub fn new(credentials: &Credentials, options: &Options, world: Arc<World>) -> Result<Self, FakeError> {
        let (key_id, team_id) = credentials.apns_names();
        let apns = Self { world, keys: Mutex::default(), team_id, topics: options.topics.clone() };
        apns.add_key(key_id, credentials.apns_verifier()?);
        Ok(apns)
    }

    /// What this key signs is accepted too.
    pub fn add_key(&self, id: &str, verifier: DecodingKey) {
        self.keys().insert(id.to_owned(), Key { verifier, tokens: Tokens::default() });
    }

    /// Nothing that this key signed is accepted any more.
    pub fn revoke_key(&self, id: &str) {
        self.keys().remove(id);
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<String, Key>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(&self, asked: &Asked) -> Result<(), Refusal> {
        if asked.method != Method::POST {
            return Err(Refusal(405, "MethodNotAllowed"));
        }
        let token = asked.path.strip_prefix("/3/device/").ok_or(Refusal(404, "BadPath"))?;
        self.check_sender(asked)?;
        if token.is_empty() {
            return Err(Refusal(400, "MissingDeviceToken"));
        }
        if token.len() < 64 || !token.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Refusal(400, "BadDeviceToken"));
        }
        let topic = asked.header("apns-topic").ok_or(Refusal(400, "MissingTopic"))?;
        if !self.topics.is_empty() && !self.topics.iter().any(|known| known == topic) {
            return Err(Refusal(400, "TopicDisallowed"));
        }
        let payload = check_request(asked)?;
        self.receive(asked, token, topic, payload)
    }

    /// A client certificate, or a provider token.
    fn check_sender(&self, asked: &Asked) -> Result<(), Refusal> {
        let Some(header) = asked.header("authorization") else {
            let known = asked.has_client_certificate;
            return if known { Ok(()) } else { Err(Refusal(403, "MissingProviderToken")) };
        };
        let token = match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token,
            _ => return Err(Refusal(403, "InvalidProviderToken")),
        };
        let now = self.world.unix_now();
        let mut keys = self.keys();
        for Key { tokens, .. } in keys.values_mut() {
            let Some(iat) = tokens.accepted.get(token) else { continue };
            if now.saturating_sub(*iat) <= TOKEN_LIFE {
                return Ok(());
            }
            tokens.refused = true;
            return Err(Refusal(403, "ExpiredProviderToken"));
        }
        let (tokens, iat) = self.verify(&mut keys, token).ok_or(Refusal(403, "InvalidProviderToken"))?;
        if iat > now + 60 {
            return Err(Refusal(403, "InvalidProviderToken"));
        }
        if now.saturating_sub(iat) > TOKEN_LIFE {
            return Err(Refusal(403, "ExpiredProviderToken"));
        }
        let early = tokens.newest.is_some_and(|newest| iat < newest + RENEW_AT_MOST_EVERY);
        if early && !tokens.refused {
            return Err(Refusal(429, "TooManyProviderTokenUpdates"));
        }
        self.world.count_provider_token();
        tokens.accepted.retain(|_, signed| now.saturating_sub(*signed) <= 2 * TOKEN_LIFE);
        tokens.accepted.insert(token.to_owned(), iat);
        (tokens.newest, tokens.refused) = (Some(iat), false);
        Ok(())
    }

    /// What came of the key that signed, and when it did.
    fn verify<'a>(&self, keys: &'a mut HashMap<String, Key>, token: &str) -> Option<(&'a mut Tokens, u64)> {
        let key = keys.get_mut(&jsonwebtoken::decode_header(token).ok()?.kid?)?;
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        let data = jsonwebtoken::decode::<Claims>(token, &key.verifier, &validation).ok()?;
        (data.claims.iss == self.team_id).then_some((&mut key.tokens, data.claims.iat))
    }

    fn receive(&self, asked: &Asked, token: &str, topic: &str, payload: Value) -> Result<(), Refusal> {
        self.world.with_phones(|phones| {
            let phone = phones.entry(token, Platform::Apns);
            if phone.uninstalled_at().is_some() {
                return Err(Refusal(410, "Unregistered"));
            }
            if phone.app_id.get_or_insert_with(|| topic.to_owned()) != topic {
                return Err(Refusal(400, "DeviceTokenNotForTopic"));
            }
            phones.receive(token, Platform::Apns, arrived(asked, payload), self.world.now());
            Ok(())
        })
    }

    fn gone_since(&self, asked: &Asked) -> SystemTime {
        let token = asked.path.rsplit('/').next().unwrap_or_default();
        let at = self.world.phone(token).and_then(|phone| phone.uninstalled_at());
        at.unwrap_or_else(|| self.world.now())
    }
}

impl Answers for Apns {
    fn kind(&self) -> Service {
        Service::Apns
    }

    fn addressed(&self, asked: &Asked) -> (Service, Option<String>) {
        (Service::Apns, asked.path.strip_prefix("/3/device/").map(str::to_owned))
    }

    fn answer(&self, asked: &Asked) -> Said {
        let said = match self.accept(asked) {
            Ok(()) => Said::new(200, ""),
            Err(Refusal(410, reason)) => gone(reason, self.gone_since(asked)),
            Err(Refusal(status, reason)) => Said::json(status, &json!({ "reason": reason })),
        };
        let id = asked.header("apns-id").map(str::to_owned);
        said.header("apns-id", id.unwrap_or_else(|| uuid::Uuid::new_v4().to_string()))
    }

    fn refusal(&self, status: u16, reason: Option<&str>) -> Said {
        let usual = match status {
            400 => "BadDeviceToken",
            403 => "ExpiredProviderToken",
            410 => "Unregistered",
            413 => "PayloadTooLarge",
            429 => "TooManyRequests",
            503 => "ServiceUnavailable",
            _ => "InternalServerError",
        };
        let reason = reason.unwrap_or(usual);
        if reason.ends_with("ProviderToken") {
            // Whoever is told so may come with a new token before 20 minutes are over.
            self.keys().values_mut().for_each(|key| key.tokens.refused = true);
        }
        if status == 410 {
            return gone(reason, self.world.now());
        }
        Said::json(status, &json!({ "reason": reason }))
    }

    fn world(&self) -> &World {
        &self.world
    }
}

fn gone(reason: &str, since: SystemTime) -> Said {
    let since = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    Said::json(410, &json!({ "reason": reason, "timestamp": since as u64 }))
}
