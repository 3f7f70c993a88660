//! From the configuration to providers.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use super::apns::{self, Apns, Authentication};
use super::fcm::{self, Fcm};
use super::limits::{LimitSettings, Limited};
use super::log::Log;
use super::payload::{KindStyle, Privacy, Style, TemplateError};
use super::provider::{HttpSettings, ProviderError, SharedCredentials, Source};
use super::webpush::{self, WebPush};
use crate::config::{self, Config, PushPayload};
use crate::model::Platform;
use crate::queue::PushLane;
use crate::telemetry::{Metrics, metrics};

/// The providers that are configured, and the log for the platforms of the others.
#[derive(Clone)]
pub struct Providers {
    lanes: HashMap<PushLane, Arc<Limited>>,
    log: Arc<Limited>,
}

impl Providers {
    /// Reads credentials; connects to nobody yet. `shared` keeps what processes are to share of them.
    ///
    /// # Errors
    /// A file that cannot be read or used.
    pub fn new(config: &Config, shared: Arc<dyn SharedCredentials>) -> Result<Self, ProviderError> {
        let limits = limits(&config.push);
        let mut lanes: HashMap<PushLane, Arc<Limited>> = HashMap::new();
        if let Some(settings) = apns_settings(config) {
            let apns = Apns::new(settings)?.sharing(shared);
            lanes.insert(PushLane::Apns, Arc::new(Limited::new(apns, limits)));
        }
        if let Some(settings) = fcm_settings(config) {
            lanes.insert(PushLane::Fcm, Arc::new(Limited::new(Fcm::new(settings)?, limits)));
        }
        if let Some(settings) = webpush_settings(config) {
            lanes.insert(PushLane::Webpush, Arc::new(Limited::new(WebPush::new(settings)?, limits)));
        }
        let log = Arc::new(Limited::new(Log, limits));
        lanes.insert(PushLane::Log, Arc::clone(&log));
        Ok(Self { lanes, log })
    }

    /// The lane of a platform's pushes: the log's where its provider is not configured.
    pub fn lane(&self, platform: Platform) -> PushLane {
        let lane = match platform {
            Platform::Apns => PushLane::Apns,
            Platform::Fcm => PushLane::Fcm,
            Platform::Webpush => PushLane::Webpush,
        };
        if self.lanes.contains_key(&lane) { lane } else { PushLane::Log }
    }

    /// Whoever delivers this lane's jobs; `None` for a lane that has no provider here.
    pub fn of_lane(&self, lane: PushLane) -> Option<&Arc<Limited>> {
        self.lanes.get(&lane)
    }

    /// Whoever delivers to this platform.
    pub fn of(&self, platform: Platform) -> &Arc<Limited> {
        self.lanes.get(&self.lane(platform)).unwrap_or(&self.log)
    }

    /// Shows when credentials end.
    pub fn show_expiry(&self, metrics: &Metrics) {
        for (lane, provider) in &self.lanes {
            let ends = provider.credential_expiry().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            let seconds = ends.map_or(0, |ends| i64::try_from(ends.as_secs()).unwrap_or(i64::MAX));
            metrics.push.push_credential_expiry_timestamp_seconds.get(label(*lane)).set(seconds);
        }
    }
}

/// A lane's label in the metrics of providers.
pub(super) fn label(lane: PushLane) -> metrics::Provider {
    match lane {
        PushLane::Apns => metrics::Provider::Apns,
        PushLane::Fcm => metrics::Provider::Fcm,
        PushLane::Webpush => metrics::Provider::Webpush,
        PushLane::Log | PushLane::Work => metrics::Provider::Log,
    }
}

/// How pushes look.
///
/// # Errors
/// A template that the check of the configuration did not refuse.
pub fn style(push: &config::Push) -> Result<Style, TemplateError> {
    let look = |title: &str, body: &str| -> Result<KindStyle, TemplateError> {
        Ok(KindStyle {
            title: title.parse()?,
            body: body.parse()?,
            sound: Some("default".to_owned()),
            channel: None,
            interruption_level: None,
        })
    };
    Ok(Style {
        privacy: match push.payload {
            PushPayload::Full => Privacy::Full,
            PushPayload::Title => Privacy::TitleOnly,
            PushPayload::Ids => Privacy::IdsOnly,
        },
        direct: look(&push.title_direct, &push.body)?,
        group: look(&push.title_group, &push.body)?,
        mention: look(&push.title_group, &push.body)?,
        summary: look("{conversation}", &push.summary)?,
        direct_summary: look(&push.title_direct, &push.summary)?,
        placeholder: push.body_hidden.clone(),
        mutable_content: true,
    })
}

fn limits(push: &config::Push) -> LimitSettings {
    LimitSettings {
        concurrency: push.concurrency,
        per_second: NonZeroU32::new(push.requests_per_second),
        ..LimitSettings::default()
    }
}

fn http(
    push: &config::Push,
    ca_file: Option<&PathBuf>,
    proxy: Option<&config::Secret>,
    base_url: Option<&String>,
) -> HttpSettings {
    HttpSettings {
        proxy: proxy.map(|proxy| proxy.expose().to_owned()),
        ca_file: ca_file.cloned(),
        request_timeout: push.request_timeout,
        // Who names another address than the provider's own answers for the way there.
        plain: base_url.is_some_and(|url| url.starts_with("http://")),
        ..HttpSettings::default()
    }
}

fn apns_settings(config: &Config) -> Option<apns::Settings> {
    let apns = &config.apns;
    let from_file = apns.key_id_file.clone().map(Source::File);
    let key_id = from_file.or_else(|| apns.key_id.clone().map(Source::Inline));
    let authentication = match (&apns.key_file, key_id, &apns.team_id) {
        (Some(key), Some(key_id), Some(team_id)) => {
            Authentication::Token { key: Source::File(key.clone()), key_id, team_id: team_id.clone() }
        }
        _ => Authentication::Certificate {
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
        http: http(&config.push, apns.ca_file.as_ref(), apns.proxy.as_ref(), apns.base_url.as_ref()),
        ..apns::Settings::new(authentication)
    })
}

fn fcm_settings(config: &Config) -> Option<fcm::Settings> {
    let fcm = &config.fcm;
    let project = |app_ids, file: &Path, project_id| fcm::Project {
        app_ids,
        service_account: Source::File(file.to_owned()),
        project_id,
        data_only: fcm.data_only,
    };
    let mut projects: Vec<fcm::Project> =
        fcm.more_projects().map(|(app_id, file)| project(vec![app_id.to_owned()], file, None)).collect();
    let of_others = fcm.service_account_file.as_deref();
    projects.extend(of_others.map(|file| project(Vec::new(), file, fcm.project.clone())));
    if projects.is_empty() {
        return None;
    }
    let mut http = http(&config.push, fcm.ca_file.as_ref(), fcm.proxy.as_ref(), fcm.base_url.as_ref());
    // The service account names the address of its tokens, which may be another one than that of messages.
    http.plain = fcm.base_url.is_some();
    Some(fcm::Settings { projects, base_url: fcm.base_url.clone(), http })
}

fn webpush_settings(config: &Config) -> Option<webpush::Settings> {
    let webpush = &config.webpush;
    let (key, subject) = (webpush.vapid_private_key.as_ref()?, webpush.subject.as_ref()?);
    let ca_file = webpush.ca_file.as_ref();
    Some(webpush::Settings {
        base_url: webpush.base_url.clone(),
        allowed_hosts: webpush.allowed_hosts.clone(),
        http: http(&config.push, ca_file, webpush.proxy.as_ref(), webpush.base_url.as_ref()),
        ..webpush::Settings::new(Source::Inline(key.expose().to_owned()), subject.clone())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_configured_goes_to_the_log() {
        let providers =
            Providers::new(&Config::defaults(), Arc::new(crate::push::tests::Kept::default())).unwrap();
        for platform in [Platform::Apns, Platform::Fcm, Platform::Webpush] {
            assert_eq!(providers.lane(platform), PushLane::Log);
            assert_eq!(providers.of(platform).name(), "log");
        }
        assert!(providers.of_lane(PushLane::Apns).is_none());
        assert!(style(&Config::defaults().push).is_ok());
    }

    #[test]
    fn apps_have_the_projects_that_are_configured_for_them() {
        let mut config = Config::defaults();
        config.fcm.projects = vec!["org.example.one=/one.json".to_owned()];
        config.fcm.data_only = true;
        let settings = fcm_settings(&config).expect("a project is enough");
        assert_eq!(settings.projects.len(), 1);
        config.fcm.service_account_file = Some("/others.json".into());
        let settings = fcm_settings(&config).expect("configured");
        let told: Vec<_> = settings.projects.iter().map(|one| (one.app_ids.len(), one.data_only)).collect();
        assert_eq!(told, [(1, true), (0, true)]);
    }
}
