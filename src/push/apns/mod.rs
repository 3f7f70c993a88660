//! Apple's push service: HTTP/2, one POST a device.
//!
//! Source of every rule here: Apple, "Sending notification requests to APNs" and
//! "Handling notification responses from APNs".

mod answer;
mod credential;
mod identity;
mod request;
mod settings;
mod shared_token;
mod signer;

use std::sync::Arc;
use std::time::SystemTime;

use reqwest::Url;

pub use settings::{Authentication, Settings};

use crate::push::provider::{
    Clock, Delivery, Environment, Lease, Notification, Outcome, Provider, ProviderError, SharedCredentials,
    exchange, system_clock,
};
use answer::Verdict;
use credential::Credential;
use request::Prepared;

const PRODUCTION: &str = "https://api.push.apple.com";
const SANDBOX: &str = "https://api.sandbox.push.apple.com";

/// Delivers to Apple devices.
pub struct Apns {
    hosts: Hosts,
    default_topic: Option<String>,
    topics: Vec<String>,
    credential: Credential,
    clock: Clock,
}

enum Hosts {
    /// A configured base URL stands for both.
    One(Url),
    Apple {
        production: Url,
        sandbox: Url,
    },
}

impl Apns {
    /// Reads the credential; opens no connection yet.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        Self::with_clock(settings, system_clock())
    }

    /// The same with the clock that tokens, their age and `Retry-After` go by.
    pub fn with_clock(settings: Settings, clock: Clock) -> Result<Self, ProviderError> {
        let url =
            |text: &str| Url::parse(text).map_err(|error| ProviderError::malformed("APNs base URL", error));
        let hosts = match &settings.base_url {
            Some(base) => Hosts::One(url(base)?),
            None => Hosts::Apple { production: url(PRODUCTION)?, sandbox: url(SANDBOX)? },
        };
        let (default_topic, topics) = (settings.default_topic.clone(), settings.topics.clone());
        let credential = Credential::open(settings, clock.clone())?;
        Ok(Self { hosts, default_topic, topics, credential, clock })
    }

    /// Uses the same provider token as the other processes, and as this one before it was started again.
    pub fn sharing(mut self, shared: Arc<dyn SharedCredentials>) -> Self {
        self.credential.share(shared);
        self
    }

    /// Asks one host; a refused provider token is renewed once and the request repeated.
    async fn ask(&self, host: &Url, notification: &Notification, prepared: &Prepared) -> Delivery {
        let url = request::url(host, notification.device.token.reveal());
        let mut renewed = false;
        loop {
            let (lease, token) = match self.credential.get().await {
                Ok(ready) => ready,
                // A key that cannot be used is the operator's to repair; the push may wait for it.
                Err(error) => {
                    return Delivery::unasked(Outcome::retry(error.to_string())).of_credential();
                }
            };
            let reply = match self.send(&lease, url.clone(), token.as_deref(), prepared).await {
                Ok(reply) => reply,
                Err(failure) => return failure.delivery(),
            };
            match answer::read(&reply, notification.device.registered_at, (self.clock)()) {
                Verdict::Final(outcome) => return reply.delivery(outcome),
                Verdict::RenewToken { reason, after, may_sign } => {
                    let another = match &token {
                        Some(refused) if !renewed => self.credential.renew(refused, may_sign).await,
                        _ => false,
                    };
                    if !another {
                        return reply.delivery(Outcome::Retry { after, reason }).of_credential();
                    }
                    renewed = true;
                }
            }
        }
    }

    async fn send(
        &self,
        lease: &Lease,
        url: Url,
        token: Option<&str>,
        prepared: &Prepared,
    ) -> Result<crate::push::provider::Reply, crate::push::provider::Failure> {
        let mut request =
            lease.client.post(url).headers(prepared.headers.clone()).body(prepared.body.clone());
        if let Some(token) = token {
            request = request.header("authorization", format!("bearer {token}"));
        }
        exchange(request).await
    }
}

#[async_trait::async_trait]
impl Provider for Apns {
    fn name(&self) -> &'static str {
        "apns"
    }

    async fn deliver(&self, notification: &Notification) -> Delivery {
        let device = &notification.device;
        let Some(topic) = device.app_id.as_deref().or(self.default_topic.as_deref()) else {
            return Delivery::unasked(Outcome::quarantine(
                "the device has no app_id and there is no default topic",
            ));
        };
        if !self.topics.is_empty() && !self.topics.iter().any(|known| known == topic) {
            return Delivery::unasked(Outcome::quarantine("the device's app_id is not among apns.topics"));
        }
        let prepared = match request::prepare(notification, topic) {
            Ok(prepared) => prepared,
            Err(error) => return Delivery::unasked(Outcome::rejected(error.to_string())),
        };
        match &self.hosts {
            Hosts::One(host) => self.ask(host, notification, &prepared).await,
            Hosts::Apple { production, sandbox } => match device.environment {
                Some(Environment::Production) => self.ask(production, notification, &prepared).await,
                Some(Environment::Sandbox) => self.ask(sandbox, notification, &prepared).await,
                None => {
                    // BadDeviceToken means "dead" only in the right environment, so ask both.
                    let first = self.ask(production, notification, &prepared).await;
                    if !answer::is_bad_device_token(&first.outcome) {
                        return first;
                    }
                    self.ask(sandbox, notification, &prepared).await
                }
            },
        }
    }

    fn credential_expiry(&self) -> Option<SystemTime> {
        self.credential.expiry()
    }
}

#[cfg(test)]
impl Apns {
    /// Looks at its credential files at every push.
    pub(in crate::push) fn looking_always(self) -> Self {
        Self { credential: self.credential.looking_always(), ..self }
    }

    /// Two addresses in the place of Apple's two.
    pub(in crate::push) fn with_hosts(self, production: &str, sandbox: &str) -> Self {
        let url = |text: &str| Url::parse(text).expect("a URL");
        Self { hosts: Hosts::Apple { production: url(production), sandbox: url(sandbox) }, ..self }
    }
}
