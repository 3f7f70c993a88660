use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hyper::Method;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::{Answers, Asked, Said};
use super::credentials::{CLIENT_EMAIL, Credentials, FCM_KEY_ID};
use super::fcm_message::{Body, arrived, check_message, invalid};
use super::{FakeError, Options, Service, World};
use crate::push::provider::Platform;

const SCOPE: &str = "https://www.googleapis.com/auth/firebase.messaging";
const MAX_ASSERTION_LIFE: u64 = 3600;

/// Google's token endpoint and Firebase Cloud Messaging.
pub(super) struct Fcm {
    world: Arc<World>,
    /// Of the service account, by their ids.
    keys: Mutex<HashMap<String, DecodingKey>>,
    token_uri: String,
    project_id: String,
    access_token_life: u64,
    /// Access tokens given out and when they end.
    access_tokens: Mutex<HashMap<String, u64>>,
}

/// A status, Google's canonical code, FCM's own code where there is one, and a message.
pub(super) struct Refusal(pub u16, pub &'static str, pub Option<&'static str>, pub String);

#[derive(Deserialize)]
struct Assertion {
    iss: String,
    aud: String,
    scope: String,
    iat: u64,
    exp: u64,
}

impl Fcm {
    pub fn new(
        credentials: &Credentials,
        options: &Options,
        url: &str,
        world: Arc<World>,
    ) -> Result<Self, FakeError> {
        let fcm = Self {
            world,
            keys: Mutex::default(),
            token_uri: format!("{url}/token"),
            project_id: options.project_id.clone(),
            access_token_life: options.access_token_life,
            access_tokens: Mutex::default(),
        };
        fcm.add_key(FCM_KEY_ID, credentials.fcm_verifier()?);
        Ok(fcm)
    }

    /// What this key signs is accepted too.
    pub fn add_key(&self, id: &str, verifier: DecodingKey) {
        self.keys().insert(id.to_owned(), verifier);
    }

    /// The key gets no access token any more; those that it got stay good until they end, as Google's do.
    pub fn revoke_key(&self, id: &str) {
        self.keys().remove(id);
    }

    fn keys(&self) -> MutexGuard<'_, HashMap<String, DecodingKey>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Signed by a key of the service account; one that names none may be any.
    fn verify(&self, assertion: &str) -> Option<Assertion> {
        let mut validation = Validation::new(Algorithm::RS256);
        validation.validate_exp = false;
        validation.validate_aud = false;
        let kid = jsonwebtoken::decode_header(assertion).ok()?.kid;
        let keys = self.keys();
        let named = keys.iter().filter(|(id, _)| kid.as_ref().is_none_or(|kid| kid == *id));
        let decode = |key| jsonwebtoken::decode::<Assertion>(assertion, key, &validation).ok();
        named.filter_map(|(_, key)| decode(key)).map(|data| data.claims).next()
    }

    fn grant(&self, asked: &Asked) -> Said {
        let refused =
            |why: &str| Said::json(400, &json!({"error": "invalid_grant", "error_description": why}));
        let form = String::from_utf8_lossy(&asked.body).into_owned();
        let field = |name: &str| {
            form.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name))
        };
        let grant = field("grant_type").map(|(_, value)| value.replace("%3A", ":"));
        if grant.as_deref() != Some("urn:ietf:params:oauth:grant-type:jwt-bearer") {
            return Said::json(400, &json!({"error": "unsupported_grant_type"}));
        }
        let Some((_, assertion)) = field("assertion") else {
            return refused("no assertion");
        };
        let Some(claims) = self.verify(assertion) else {
            return refused("Invalid JWT Signature.");
        };
        let now = self.world.unix_now();
        if claims.iss != CLIENT_EMAIL || claims.aud != self.token_uri {
            return refused("Invalid issuer or audience.");
        }
        let in_time =
            claims.iat <= now + 60 && now < claims.exp && claims.exp <= claims.iat + MAX_ASSERTION_LIFE;
        if !in_time {
            return refused("Invalid JWT: Token must be a short-lived token");
        }
        if !claims.scope.split(' ').any(|scope| scope == SCOPE) {
            return Said::json(400, &json!({"error": "invalid_scope"}));
        }
        let token = format!("ya29.fake-{}", uuid::Uuid::new_v4().simple());
        let ends = now + self.access_token_life;
        let mut tokens = self.access_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, ends| *ends > now);
        tokens.insert(token.clone(), ends);
        let granted = json!({
            "access_token": token, "expires_in": self.access_token_life, "token_type": "Bearer",
        });
        Said::json(200, &granted)
    }

    fn accept(&self, asked: &Asked, project: &str) -> Result<(), Refusal> {
        self.check_sender(asked)?;
        if project != self.project_id {
            let why = format!("Permission denied on project {project}.");
            return Err(Refusal(403, "PERMISSION_DENIED", None, why));
        }
        let body: Body = serde_json::from_slice(&asked.body)
            .map_err(|error| invalid(&format!("Invalid JSON payload received. {error}")))?;
        let message = body.message;
        check_message(&message, asked.body.len())?;
        self.world.with_phones(|phones| {
            let phone = phones.entry(&message.token, Platform::Fcm);
            if phone.uninstalled_at().is_some() {
                let why = "Requested entity was not found.".to_owned();
                return Err(Refusal(404, "NOT_FOUND", Some("UNREGISTERED"), why));
            }
            phone.app_id.get_or_insert_with(|| project.to_owned());
            let token = message.token.clone();
            phones.receive(&token, Platform::Fcm, arrived(message), self.world.now());
            Ok(())
        })
    }

    fn check_sender(&self, asked: &Asked) -> Result<(), Refusal> {
        let now = self.world.unix_now();
        let tokens = self.access_tokens.lock().unwrap_or_else(PoisonError::into_inner);
        let good = asked
            .header("authorization")
            .and_then(|header| header.strip_prefix("Bearer "))
            .and_then(|token| tokens.get(token))
            .is_some_and(|ends| *ends > now);
        let why = "Request had invalid authentication credentials.".to_owned();
        if good { Ok(()) } else { Err(Refusal(401, "UNAUTHENTICATED", None, why)) }
    }
}

impl Answers for Fcm {
    fn kind(&self) -> Service {
        Service::Fcm
    }

    fn addressed(&self, asked: &Asked) -> (Service, Option<String>) {
        if asked.path == "/token" {
            return (Service::FcmToken, None);
        }
        let body: Option<Value> = serde_json::from_slice(&asked.body).ok();
        let token = body.and_then(|body| body["message"]["token"].as_str().map(str::to_owned));
        (Service::Fcm, token)
    }

    fn answer(&self, asked: &Asked) -> Said {
        if asked.method == Method::POST && asked.path == "/token" {
            return self.grant(asked);
        }
        let project = asked
            .path
            .strip_prefix("/v1/projects/")
            .and_then(|rest| rest.strip_suffix("/messages:send"))
            .filter(|_| asked.method == Method::POST);
        let Some(project) = project else {
            return Said::new(404, "");
        };
        match self.accept(asked, project) {
            Ok(()) => {
                let name = format!("projects/{project}/messages/0:{}", uuid::Uuid::new_v4().simple());
                Said::json(200, &json!({ "name": name }))
            }
            Err(Refusal(status, code, own, why)) => refuse(status, code, own, &why),
        }
    }

    fn refusal(&self, status: u16, reason: Option<&str>) -> Said {
        let (code, usual) = match status {
            400 => ("INVALID_ARGUMENT", Some("INVALID_ARGUMENT")),
            401 => ("UNAUTHENTICATED", None),
            403 => ("PERMISSION_DENIED", Some("SENDER_ID_MISMATCH")),
            404 => ("NOT_FOUND", Some("UNREGISTERED")),
            429 => ("RESOURCE_EXHAUSTED", Some("QUOTA_EXCEEDED")),
            503 => ("UNAVAILABLE", Some("UNAVAILABLE")),
            _ => ("INTERNAL", Some("INTERNAL")),
        };
        refuse(status, code, reason.or(usual), "told to")
    }

    fn world(&self) -> &World {
        &self.world
    }
}

fn refuse(status: u16, code: &str, own: Option<&str>, why: &str) -> Said {
    let mut error = json!({"code": status, "message": why, "status": code});
    if let Some(own) = own {
        let kind = "type.googleapis.com/google.firebase.fcm.v1.FcmError";
        error["details"] = json!([{"@type": kind, "errorCode": own}]);
    }
    Said::json(status, &json!({ "error": error }))
}
