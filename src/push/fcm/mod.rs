//! Firebase Cloud Messaging, HTTP v1: one POST a device.
//!
//! Source of the rules here: Firebase, "FCM HTTP v1 API" reference and its error codes,
//! and Google, "Using OAuth 2.0 for Server to Server Applications".

mod answer;
mod credential;
mod request;
mod settings;

use reqwest::{Client, Url};

pub use settings::{Project, Settings};

use crate::push::provider::{
    Clock, Delivery, Notification, Outcome, Provider, ProviderError, exchange, system_clock,
};
use answer::Verdict;
use credential::{AccessToken, AccessTokens};

const GOOGLE: &str = "https://fcm.googleapis.com";

/// Delivers to devices that are registered with Firebase.
pub struct Fcm {
    base: Url,
    client: Client,
    projects: Vec<Served>,
    clock: Clock,
}

struct Served {
    app_ids: Vec<String>,
    project_id: Option<String>,
    data_only: bool,
    tokens: AccessTokens,
}

impl Fcm {
    /// Reads the service accounts; asks for no access token yet.
    pub fn new(settings: Settings) -> Result<Self, ProviderError> {
        Self::with_clock(settings, system_clock())
    }

    /// The same with the clock that tokens, expiries and `Retry-After` go by.
    pub fn with_clock(settings: Settings, clock: Clock) -> Result<Self, ProviderError> {
        let base = Url::parse(settings.base_url.as_deref().unwrap_or(GOOGLE))
            .map_err(|error| ProviderError::malformed("FCM base URL", error))?;
        let client = settings.http.client()?;
        let projects = settings
            .projects
            .into_iter()
            .map(|project| {
                let account = project.service_account;
                let tokens = AccessTokens::open(account, client.clone(), clock.clone())?;
                Ok(Served {
                    app_ids: project.app_ids,
                    project_id: project.project_id,
                    data_only: project.data_only,
                    tokens,
                })
            })
            .collect::<Result<_, ProviderError>>()?;
        Ok(Self { base, client, projects, clock })
    }

    /// The project that names this app, else one that serves every app.
    fn project(&self, app_id: Option<&str>) -> Option<&Served> {
        let named =
            |served: &&Served| app_id.is_some_and(|app_id| served.app_ids.iter().any(|name| name == app_id));
        let any = |served: &&Served| served.app_ids.is_empty();
        self.projects.iter().find(named).or_else(|| self.projects.iter().find(any))
    }

    async fn ask(&self, project: &Served, body: Vec<u8>) -> Delivery {
        let mut refused: Option<std::sync::Arc<AccessToken>> = None;
        loop {
            let token = match project.tokens.get(refused.as_deref()).await {
                Ok(token) => token,
                Err(error) => return credential::unavailable(&error),
            };
            let request = self
                .client
                .post(request::url(&self.base, project.project_id.as_ref().unwrap_or(&token.project_id)))
                .bearer_auth(&token.text)
                .header("content-type", "application/json")
                .body(body.clone());
            let reply = match exchange(request).await {
                Ok(reply) => reply,
                Err(failure) => return failure.delivery(),
            };
            match answer::read(&reply, (self.clock)()) {
                Verdict::Final(outcome) => return reply.delivery(outcome),
                Verdict::RenewToken { reason } if refused.is_some() => {
                    return reply.delivery(Outcome::retry(reason)).of_credential();
                }
                Verdict::RenewToken { .. } => refused = Some(token),
            }
        }
    }
}

#[async_trait::async_trait]
impl Provider for Fcm {
    fn name(&self) -> &'static str {
        "fcm"
    }

    async fn deliver(&self, notification: &Notification) -> Delivery {
        let app_id = notification.device.app_id.as_deref();
        let Some(project) = self.project(app_id) else {
            let reason = "no Firebase project is configured for this app";
            return Delivery::unasked(Outcome::quarantine(reason));
        };
        match request::body(notification, project.data_only, (self.clock)()) {
            Ok(body) => self.ask(project, body).await,
            Err(error) => Delivery::unasked(Outcome::rejected(error.to_string())),
        }
    }
}

#[cfg(test)]
impl Fcm {
    /// Looks at its credential files at every push.
    pub(in crate::push) fn looking_always(mut self) -> Self {
        self.projects = self
            .projects
            .into_iter()
            .map(|served| Served { tokens: served.tokens.looking_always(), ..served })
            .collect();
        self
    }
}
