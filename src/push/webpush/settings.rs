use crate::push::provider::{HttpSettings, Source};

/// The push services of the known browsers. An entry that begins with `*.` stands for every
/// host below the rest.
const BROWSERS: &[&str] =
    &["fcm.googleapis.com", "*.push.services.mozilla.com", "*.push.apple.com", "*.notify.windows.com"];

/// As whom to push to browsers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The private VAPID key: PKCS#8 PEM, or the 32 bytes in URL-safe base64. Several, one below the other: pages subscribe with the first.
    pub key: Source,
    /// Whom a push service may write to: a `mailto:` or `https:` address.
    pub subject: String,
    /// Takes the place of the origin of every endpoint; the token stays made out to the origin.
    pub base_url: Option<String>,
    /// Hosts that an endpoint may name. An endpoint comes from a user: without this list it
    /// could name a host inside our own network.
    pub allowed_hosts: Vec<String>,
    pub http: HttpSettings,
}

impl Settings {
    pub fn new(key: Source, subject: impl Into<String>) -> Self {
        Self {
            key,
            subject: subject.into(),
            base_url: None,
            allowed_hosts: BROWSERS.iter().map(|host| (*host).to_owned()).collect(),
            http: HttpSettings::default(),
        }
    }

    pub(super) fn allows(&self, host: &str) -> bool {
        is_allowed(&self.allowed_hosts, host)
    }
}

/// Whether `host` is one of these, or below one that begins with `*.`.
pub fn is_allowed(allowed_hosts: &[String], host: &str) -> bool {
    allowed_hosts.iter().any(|allowed| match allowed.strip_prefix('*') {
        Some(below) => host.len() > below.len() && host.ends_with(below),
        None => host == allowed,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_the_list_are_allowed() {
        let settings = Settings::new(Source::Inline(String::new()), "mailto:a@example.org");
        assert!(settings.allows("fcm.googleapis.com"));
        assert!(settings.allows("updates.push.services.mozilla.com"));
        for host in
            ["127.0.0.1", "redis", "evil-push.apple.com", ".push.apple.com", "fcm.googleapis.com.evil.org"]
        {
            assert!(!settings.allows(host), "{host}");
        }
    }
}
