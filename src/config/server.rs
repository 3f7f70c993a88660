use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Network, Problems, values};

/// `[server]`: sockets of the process and who may open one.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    #[serde(with = "values::address")]
    pub listen: SocketAddr,
    #[serde(with = "values::address")]
    pub ops_listen: SocketAddr,
    pub allowed_origins: Vec<String>,
    pub page: bool,
    pub token_in_url: bool,
    #[serde(with = "values::optional")]
    pub tls_cert_file: Option<PathBuf>,
    #[serde(with = "values::optional")]
    pub tls_key_file: Option<PathBuf>,
    /// 0: derived from the file limit.
    pub max_connections: usize,
    #[serde(with = "values::size")]
    pub max_header_bytes: usize,
    #[serde(with = "values::duration")]
    pub header_timeout: Duration,
    /// Per second; 0: no limit.
    pub handshake_rate: u32,
    pub handshake_queue: usize,
    /// Per second; 0: no limit.
    pub handshake_rate_per_address: u32,
    pub trusted_proxies: Vec<Network>,
    pub forwarded_header: String,
}

impl Server {
    pub(super) fn check(&self, problems: &mut Problems) {
        problems.both_or_neither(
            ("server.tls_cert_file", self.tls_cert_file.is_some()),
            ("server.tls_key_file", self.tls_key_file.is_some()),
        );
        problems.file("server.tls_cert_file", self.tls_cert_file.as_deref());
        problems.file("server.tls_key_file", self.tls_key_file.as_deref());
        if self.listen == self.ops_listen && self.listen.port() != 0 {
            problems.rule("server.ops_listen must differ from server.listen: /metrics is not for the public");
        }
        for origin in &self.allowed_origins {
            let host = origin.strip_prefix("https://").or(origin.strip_prefix("http://"));
            if host.is_none_or(|host| host.is_empty() || host.contains('/')) {
                problems.rule(format!(
                    "server.allowed_origins: \"{origin}\" is no origin; write scheme and host only, as in https://chat.example.com"
                ));
            }
        }
        problems.at_least("server.max_header_bytes", self.max_header_bytes, 1024);
        problems.positive("server.header_timeout", self.header_timeout);
        if axum::http::HeaderName::try_from(&self.forwarded_header).is_err() {
            problems.rule("server.forwarded_header must be the name of an HTTP header");
        }
    }
}
