//! Web Push: one POST a browser, encrypted for it, so that the push service reads nothing.
//!
//! Source of the rules here: RFC 8030 (delivery), RFC 8291 (encryption), RFC 8292 (VAPID).

mod answer;
mod credential;
mod encrypt;
mod request;
mod settings;
mod subscription;

use reqwest::{Client, Url};

pub use settings::{Settings, is_allowed};
pub use subscription::{Subscription, SubscriptionError};

use crate::push::provider::{
    Clock, Delivery, Notification, Outcome, Provider, ProviderError, exchange, system_clock,
};
use credential::Vapid;
pub(in crate::push) use encrypt::decrypt;

/// The application server key of a private VAPID key, with which pages subscribe.
pub fn public_key(private: &str) -> Result<String, ProviderError> {
    credential::public_key(private)
}

/// Delivers to browsers.
pub struct WebPush {
    settings: Settings,
    base: Option<Url>,
    client: Client,
    vapid: Vapid,
    clock: Clock,
}

impl WebPush {
    /// Reads the VAPID key; opens no connection yet.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        Self::with_clock(settings, system_clock())
    }

    /// The same with the clock that tokens, expiries and `Retry-After` go by.
    pub fn with_clock(settings: Settings, clock: Clock) -> Result<Self, ProviderError> {
        let base = settings.base_url.as_deref().map(Url::parse).transpose();
        let base = base.map_err(|error| ProviderError::malformed("Web Push base URL", error))?;
        let client = settings.http.client()?;
        let vapid = Vapid::open(settings.key.clone(), settings.subject.clone(), clock.clone())?;
        Ok(Self { settings, base, client, vapid, clock })
    }

    /// The `applicationServerKey` with which a page has to subscribe, in URL-safe base64.
    pub fn application_server_key(&self) -> String {
        self.vapid.public_key()
    }

    fn is_allowed(&self, subscription: &Subscription) -> bool {
        // With a base URL the endpoint's host is never connected to.
        self.base.is_some() || subscription.endpoint.host_str().is_some_and(|host| self.settings.allows(host))
    }
}

#[async_trait::async_trait]
impl Provider for WebPush {
    fn name(&self) -> &'static str {
        "webpush"
    }

    async fn deliver(&self, notification: &Notification) -> Delivery {
        let subscription = match Subscription::parse(notification.device.token.reveal()) {
            Ok(subscription) => subscription,
            Err(error) => return Delivery::unasked(Outcome::token_invalid(error.to_string())),
        };
        if !self.is_allowed(&subscription) {
            let reason = "the endpoint is at a host that webpush.allowed_hosts does not name";
            return Delivery::unasked(Outcome::quarantine(reason));
        }
        let body = match request::body(notification, &subscription) {
            Ok(body) => body,
            // A point that is not on the curve: no push will ever reach this browser.
            Err(request::PrepareError::Crypt(error)) => {
                return Delivery::unasked(Outcome::token_invalid(error.to_string()));
            }
            Err(error) => return Delivery::unasked(Outcome::rejected(error.to_string())),
        };
        let origin = subscription.endpoint.origin().ascii_serialization();
        let url = request::url(&subscription, self.base.as_ref());
        let mut refused: Option<Delivery> = None;
        for key in self.vapid.keys_for(&subscription.endpoint) {
            let authorization = match self.vapid.header(&origin, &key) {
                Ok(header) => header,
                Err(error) => return Delivery::unasked(Outcome::retry(error.to_string())).of_credential(),
            };
            let now = (self.clock)();
            let request = self
                .client
                .post(url.clone())
                .headers(request::headers(notification, now))
                .header("authorization", &*authorization)
                .body(body.clone());
            let reply = match exchange(request).await {
                Ok(reply) => reply,
                Err(failure) => return failure.delivery(),
            };
            let delivery = reply.delivery(answer::read(&reply, now));
            if !answer::refuses_sender(&reply) {
                self.vapid.took(&subscription.endpoint, &key);
                return delivery;
            }
            // To the key that is the right one something else is said than that it is a wrong one.
            if refused.as_ref().is_none_or(|one| matches!(one.outcome, Outcome::Quarantine { .. })) {
                refused = Some(delivery);
            }
        }
        refused.unwrap_or_else(|| Delivery::unasked(Outcome::retry("there is no VAPID key")).of_credential())
    }
}

#[cfg(test)]
impl WebPush {
    /// Looks at its key file at every push.
    pub(in crate::push) fn looking_always(self) -> Self {
        Self { vapid: self.vapid.looking_always(), ..self }
    }
}
