//! The providers that the configuration asks for.

use std::sync::Arc;

use crate::config::{self, Config};
use crate::model::Platform;
use crate::push::apns::{self, Apns};
use crate::push::fcm::{self, Fcm};
use crate::push::log::Log;
use crate::push::provider::{HttpSettings, Provider, ProviderError, Source};
use crate::push::webpush::{self, WebPush};

/// One provider for each platform; one that is not configured is `log`.
pub struct Providers {
    apns: Arc<dyn Provider>,
    fcm: Arc<dyn Provider>,
    webpush: Arc<dyn Provider>,
}

impl Providers {
    /// Reads keys and certificates (blocking); opens no connection yet.
    ///
    /// # Errors
    /// When something that is configured cannot be used.
    pub fn from_config(config: &Config) -> Result<Self, ProviderError> {
        let log: Arc<dyn Provider> = Arc::new(Log);
        Ok(Self {
            apns: match apns_settings(config) {
                Some(settings) => Arc::new(Apns::new(settings)?),
                None => Arc::clone(&log),
            },
            fcm: match fcm_settings(config) {
                Some(settings) => Arc::new(Fcm::new(settings)?),
                None => Arc::clone(&log),
            },
            webpush: match webpush_settings(config) {
                Some(settings) => Arc::new(WebPush::new(settings)?),
                None => log,
            },
        })
    }

    /// Who delivers to devices of this platform.
    pub fn of(&self, platform: Platform) -> &Arc<dyn Provider> {
        match platform {
            Platform::Apns => &self.apns,
            Platform::Fcm => &self.fcm,
            Platform::Webpush => &self.webpush,
        }
    }
}

fn http(config: &Config, proxy: Option<&config::Secret>, ca_file: Option<&std::path::Path>) -> HttpSettings {
    HttpSettings {
        proxy: proxy.map(|proxy| proxy.expose().to_owned()),
        ca_file: ca_file.map(Into::into),
        request_timeout: config.push.request_timeout,
        ..HttpSettings::default()
    }
}

/// `None` when pushes do not go to Apple. The key's id and team are required with it, which loading the configuration checked.
fn apns_settings(config: &Config) -> Option<apns::Settings> {
    let apns = &config.apns;
    let authentication = match (&apns.key_file, &apns.key_id, &apns.team_id) {
        (Some(key), Some(key_id), Some(team_id)) => apns::Authentication::Token {
            key: Source::File(key.clone()),
            key_id: Source::Inline(key_id.clone()),
            team_id: team_id.clone(),
        },
        _ => apns::Authentication::Certificate {
            chain: Source::File(apns.cert_file.clone()?),
            key: Source::File(apns.cert_key_file.clone()?),
        },
    };
    Some(apns::Settings {
        base_url: apns.base_url.clone(),
        default_topic: apns.default_topic.clone(),
        topics: apns.topics.clone(),
        connections: apns.connections,
        streams_per_connection: apns.streams_per_connection,
        http: http(config, apns.proxy.as_ref(), apns.ca_file.as_deref()),
        ..apns::Settings::new(authentication)
    })
}

fn fcm_settings(config: &Config) -> Option<fcm::Settings> {
    let fcm = &config.fcm;
    let project = fcm::Project {
        app_ids: Vec::new(),
        service_account: Source::File(fcm.service_account_file.clone()?),
        project_id: fcm.project.clone(),
        data_only: false,
    };
    Some(fcm::Settings {
        projects: vec![project],
        base_url: fcm.base_url.clone(),
        http: http(config, fcm.proxy.as_ref(), fcm.ca_file.as_deref()),
    })
}

fn webpush_settings(config: &Config) -> Option<webpush::Settings> {
    let webpush = &config.webpush;
    let key = Source::Inline(webpush.vapid_private_key.as_ref()?.expose().to_owned());
    Some(webpush::Settings {
        base_url: webpush.base_url.clone(),
        allowed_hosts: webpush.allowed_hosts.clone(),
        http: http(config, webpush.proxy.as_ref(), webpush.ca_file.as_deref()),
        ..webpush::Settings::new(key, webpush.subject.clone()?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_configured_goes_to_the_log() {
        let providers = Providers::from_config(&Config::defaults()).expect("nothing to read");
        for platform in [Platform::Apns, Platform::Fcm, Platform::Webpush] {
            assert_eq!(providers.of(platform).name(), "log");
        }
    }

    #[test]
    fn a_key_that_cannot_be_read_is_said_at_once() {
        let mut config = Config::defaults();
        config.fcm.service_account_file = Some("/nowhere/account.json".into());
        assert!(matches!(Providers::from_config(&config), Err(ProviderError::Read { .. })));
    }
}
