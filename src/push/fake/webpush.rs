use std::sync::Arc;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hyper::Method;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answers, Asked, Said};
use super::phones::{Arrived, Shown};
use super::{FakeError, Service, World};
use crate::push::provider::Platform;
use crate::push::webpush::decrypt;

const MAX_BODY: usize = 4096;
const MAX_TOKEN_LIFE: u64 = 24 * 3600;

/// A browser vendor's push service.
pub(super) struct WebPush {
    world: Arc<World>,
    origin: String,
}

/// A browser that subscribed: it alone can read what is sent to it.
pub(super) struct Browser {
    key: PrivateKey,
    auth: [u8; 16],
    application_server_key: Option<String>,
}

/// A subscription of a fake browser.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct NewSubscription {
    /// Where its phone is found.
    pub phone: String,
    /// What a real browser's `PushSubscription.toJSON()` gives: the token to register.
    pub subscription: Value,
}

struct Refusal(u16, &'static str);

#[derive(Deserialize)]
struct Claims {
    aud: String,
    exp: u64,
    sub: Option<String>,
}

impl Browser {
    pub fn subscribe(
        origin: &str,
        application_server_key: Option<String>,
    ) -> Result<(Self, NewSubscription), FakeError> {
        let key = PrivateKey::generate(&ECDH_P256)?;
        let mut auth = [0; 16];
        aws_lc_rs::rand::fill(&mut auth)?;
        let phone = format!("browser-{}", uuid::Uuid::new_v4().simple());
        let subscription = json!({
            "endpoint": format!("{origin}/push/{phone}"),
            "expirationTime": null,
            "keys": {
                "p256dh": BASE64_URL_SAFE_NO_PAD.encode(key.compute_public_key()?.as_ref()),
                "auth": BASE64_URL_SAFE_NO_PAD.encode(auth),
            },
        });
        let application_server_key = application_server_key.map(|key| key.trim_end_matches('=').to_owned());
        Ok((Self { key, auth, application_server_key }, NewSubscription { phone, subscription }))
    }
}

impl WebPush {
    pub fn new(origin: &str, world: Arc<World>) -> Self {
        Self { world, origin: origin.to_owned() }
    }

    fn accept(&self, asked: &Asked) -> Result<(), Refusal> {
        let phone = phone(asked).ok_or(Refusal(404, "no such subscription"))?;
        if asked.method != Method::POST {
            return Err(Refusal(405, "POST it"));
        }
        check_headers(asked)?;
        let server_key = self.check_sender(asked)?;
        if asked.body.len() > MAX_BODY {
            return Err(Refusal(413, "Payload Too Large"));
        }
        let browser = self.world.browser(phone).ok_or(Refusal(410, "push subscription is gone"))?;
        if browser.application_server_key.as_ref().is_some_and(|key| *key != server_key) {
            return Err(Refusal(403, "VAPID public key mismatch"));
        }
        // A real push service cannot look inside; the browser does, and drops what it cannot read.
        let message = decrypt(&asked.body, &browser.key, &browser.auth)
            .ok()
            .and_then(|plain| serde_json::from_slice::<Value>(&plain).ok());
        self.world.with_phones(|phones| match message {
            Some(message) => {
                phones.receive(phone, Platform::Webpush, arrived(&message), self.world.now());
            }
            None => phones.entry(phone, Platform::Webpush).undecryptable += 1,
        });
        Ok(())
    }

    /// VAPID, RFC 8292; returns the sender's public key.
    fn check_sender(&self, asked: &Asked) -> Result<String, Refusal> {
        let header = asked.header("authorization").ok_or(Refusal(401, "no VAPID header"))?;
        let fields = header.strip_prefix("vapid ").ok_or(Refusal(401, "no VAPID header"))?;
        let field = |name: &str| {
            fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='))
        };
        let (Some(token), Some(key)) = (field("t"), field("k")) else {
            return Err(Refusal(401, "t or k is missing"));
        };
        let wrong = |_| Refusal(403, "invalid VAPID key or token");
        let point = BASE64_URL_SAFE_NO_PAD.decode(key).map_err(|_| wrong(()))?;
        if point.len() != 65 {
            return Err(wrong(()));
        }
        let mut validation = Validation::new(Algorithm::ES256);
        validation.validate_aud = false;
        validation.validate_exp = false;
        let data = jsonwebtoken::decode::<Claims>(token, &DecodingKey::from_ec_der(&point), &validation)
            .map_err(|_| wrong(()))?;
        let (claims, now) = (data.claims, self.world.unix_now());
        if claims.aud != self.origin {
            return Err(Refusal(403, "the token is for another origin"));
        }
        if claims.exp <= now || claims.exp > now + MAX_TOKEN_LIFE {
            return Err(Refusal(403, "the token has expired or lives too long"));
        }
        let contact = claims.sub.unwrap_or_default();
        if !contact.starts_with("mailto:") && !contact.starts_with("https:") {
            return Err(Refusal(403, "the token names no contact"));
        }
        Ok(key.trim_end_matches('=').to_owned())
    }
}

fn phone(asked: &Asked) -> Option<&str> {
    asked.path.strip_prefix("/push/").filter(|phone| !phone.is_empty())
}

fn check_headers(asked: &Asked) -> Result<(), Refusal> {
    if asked.header("ttl").and_then(|ttl| ttl.parse::<u64>().ok()).is_none() {
        return Err(Refusal(400, "TTL is missing or no number"));
    }
    if asked.header("content-encoding") != Some("aes128gcm") {
        return Err(Refusal(400, "Content-Encoding must be aes128gcm"));
    }
    let urgency = asked.header("urgency").unwrap_or("normal");
    if !["very-low", "low", "normal", "high"].contains(&urgency) {
        return Err(Refusal(400, "Urgency is unknown"));
    }
    let good = |topic: &str| {
        (1..=32).contains(&topic.len())
            && topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    if !asked.header("topic").is_none_or(good) {
        return Err(Refusal(400, "Topic is too long or not base64url"));
    }
    Ok(())
}

/// What the service worker of the page does with a message.
fn arrived(message: &Value) -> Arrived {
    let data = message["data"].clone();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let id = text(&data["push_id"]);
    let alert = message.get("notification").map(|shown| Shown {
        key: text(&shown["tag"]).or_else(|| id.clone()).unwrap_or_default(),
        title: text(&shown["title"]),
        body: text(&shown["body"]),
        thread: text(&data["conversation_id"]),
        sound: None,
        channel: None,
        at_ms: 0,
        data: data.clone(),
    });
    let badge = message["badge"].as_u64().and_then(|badge| u32::try_from(badge).ok());
    Arrived { id, alert, badge, data }
}

impl Answers for WebPush {
    fn kind(&self) -> Service {
        Service::Webpush
    }

    fn addressed(&self, asked: &Asked) -> (Service, Option<String>) {
        (Service::Webpush, phone(asked).map(str::to_owned))
    }

    fn answer(&self, asked: &Asked) -> Said {
        match self.accept(asked) {
            Ok(()) => {
                let message = uuid::Uuid::new_v4().simple();
                Said::new(201, "").header("location", format!("{}/message/{message}", self.origin))
            }
            Err(Refusal(status, why)) => Said::new(status, why),
        }
    }

    fn refusal(&self, status: u16, reason: Option<&str>) -> Said {
        Said::new(status, reason.unwrap_or("told to"))
    }

    fn world(&self) -> &World {
        &self.world
    }
}
