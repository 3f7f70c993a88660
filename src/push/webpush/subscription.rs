use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Url;
use serde::Deserialize;

/// Longer endpoints than this are nobody's.
const MAX_ENDPOINT: usize = 2048;

/// A browser's subscription: what `PushSubscription.toJSON()` gives, and what a device of the
/// platform `webpush` registers as its token.
#[derive(Debug)]
pub struct Subscription {
    pub(super) endpoint: Url,
    /// The browser's public key, an uncompressed point of P-256.
    pub(super) public_key: Vec<u8>,
    pub(super) auth: [u8; 16],
}

#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("not a push subscription: {0}")]
pub struct SubscriptionError(String);

#[derive(Deserialize)]
struct Json {
    endpoint: String,
    keys: Keys,
}

#[derive(Deserialize)]
struct Keys {
    p256dh: String,
    auth: String,
}

impl Subscription {
    /// Where the browser's push service is.
    pub fn host(&self) -> &str {
        // Checked when it was parsed.
        self.endpoint.host_str().unwrap_or_default()
    }

    /// Parses and checks a subscription; the API may call it when a device registers.
    pub fn parse(token: &str) -> Result<Self, SubscriptionError> {
        let wrong = |reason: &str| SubscriptionError(reason.to_owned());
        let json: Json = serde_json::from_str(token)
            .map_err(|error| wrong(&format!("{:?} error in its JSON", error.classify())))?;
        if json.endpoint.len() > MAX_ENDPOINT {
            return Err(wrong("the endpoint is too long"));
        }
        let endpoint = Url::parse(&json.endpoint).map_err(|_| wrong("the endpoint is no URL"))?;
        if endpoint.scheme() != "https" || endpoint.host_str().is_none() {
            return Err(wrong("the endpoint is not https"));
        }
        // Some browsers pad, some do not.
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('='));
        let public_key = decode(&json.keys.p256dh).map_err(|_| wrong("keys.p256dh is no base64"))?;
        if public_key.len() != 65 || public_key[0] != 4 {
            return Err(wrong("keys.p256dh is no uncompressed point"));
        }
        let auth = decode(&json.keys.auth).map_err(|_| wrong("keys.auth is no base64"))?;
        let auth = auth.try_into().map_err(|_| wrong("keys.auth is not 16 bytes"))?;
        Ok(Self { endpoint, public_key, auth })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn subscription(endpoint: &str, p256dh: &str, auth: &str) -> Result<Subscription, String> {
        let json =
            json!({"endpoint": endpoint, "expirationTime": null, "keys": {"p256dh": p256dh, "auth": auth}});
        Subscription::parse(&json.to_string()).map_err(|error| error.0)
    }

    const KEY: &str =
        "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
    const AUTH: &str = "BTBZMqHH6r4Tts7J_aSIgg";

    #[test]
    fn a_browsers_subscription_is_parsed() {
        assert!(subscription("https://push.example.org/x", KEY, AUTH).is_ok());
        assert!(subscription("https://push.example.org/x", &format!("{KEY}="), AUTH).is_ok());
    }

    #[test]
    fn what_is_no_subscription_is_refused_with_the_reason() {
        let reason = |result: Result<Subscription, String>| result.expect_err("an error");
        assert!(reason(subscription("http://push.example.org", KEY, AUTH)).contains("https"));
        assert!(reason(subscription("https://x.org", "AAAA", AUTH)).contains("point"));
        assert!(reason(subscription("https://x.org", KEY, "AAAA")).contains("16 bytes"));
        assert!(Subscription::parse("{}").is_err());
    }
}
