use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::{Certificate, Client, ClientBuilder, Identity, Proxy, redirect, tls};

use super::ProviderError;

/// How to reach a provider.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// An egress proxy, `http://host:port`; the environment's proxy variables are not read.
    pub proxy: Option<String>,
    /// PEM file of authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// Addresses may be `http://` too: of an egress gateway or a test, never of a provider.
    pub plain: bool,
    /// Connecting, TLS included.
    pub connect_timeout: Duration,
    /// One request from its first byte to the last of the answer.
    pub request_timeout: Duration,
    /// A PING on an idle HTTP/2 connection, so that a dead one is noticed before a push is lost on it.
    pub ping_interval: Duration,
    /// No answer to a PING for this long: the connection is dead.
    pub ping_timeout: Duration,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            proxy: None,
            ca_file: None,
            plain: false,
            connect_timeout: Duration::from_secs(5),
            request_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(60),
            ping_timeout: Duration::from_secs(10),
        }
    }
}

impl HttpSettings {
    /// A client of whatever ALPN gives, HTTP/1.1 included.
    pub(in crate::push) fn client(&self) -> Result<Client, ProviderError> {
        self.builder()?.build().map_err(ProviderError::Client)
    }

    /// A client of exactly one HTTP/2 connection, perhaps with a client certificate.
    fn http2_client(&self, identity: Option<&Identity>) -> Result<Client, ProviderError> {
        // Without an idle time-out: Apple asks to keep connections open; a dead one fails its PING.
        let mut builder = self.builder()?.http2_prior_knowledge().pool_idle_timeout(None);
        if let Some(identity) = identity {
            builder = builder.identity(identity.clone());
        }
        builder.build().map_err(ProviderError::Client)
    }

    fn builder(&self) -> Result<ClientBuilder, ProviderError> {
        let mut builder = Client::builder()
            .no_proxy()
            .https_only(!self.plain)
            .tls_version_min(tls::Version::TLS_1_2)
            // A provider never redirects; following one could lead a Web Push request inside.
            .redirect(redirect::Policy::none())
            .connect_timeout(self.connect_timeout)
            .timeout(self.request_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(self.ping_interval)
            .http2_keep_alive_timeout(self.ping_timeout)
            .http2_keep_alive_while_idle(true);
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(Proxy::all(proxy).map_err(ProviderError::Client)?);
        }
        if let Some(path) = &self.ca_file {
            let pem =
                std::fs::read(path).map_err(|source| ProviderError::Read { path: path.clone(), source })?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(ProviderError::Client)?;
            if authorities.is_empty() {
                return Err(ProviderError::malformed("CA file", "it holds no certificate"));
            }
            builder = builder.tls_certs_merge(authorities);
        }
        Ok(builder)
    }
}

/// A few HTTP/2 connections to the same provider. A connection takes only so many streams at a
/// time; past that requests would queue unseen inside it, so they go to the next one.
pub struct Connections {
    slots: Vec<Slot>,
    streams: usize,
}

struct Slot {
    client: Client,
    in_flight: Arc<AtomicUsize>,
}

/// One request's place on a connection, given back when dropped.
pub struct Lease {
    pub client: Client,
    in_flight: Arc<AtomicUsize>,
}

impl Connections {
    /// `count` connections, opened when first needed, each for `streams` requests at a time.
    pub(in crate::push) fn new(
        settings: &HttpSettings,
        identity: Option<&Identity>,
        count: usize,
        streams: usize,
    ) -> Result<Self, ProviderError> {
        let slots = (0..count.max(1))
            .map(|_| {
                let client = settings.http2_client(identity)?;
                Ok(Slot { client, in_flight: Arc::default() })
            })
            .collect::<Result<_, ProviderError>>()?;
        Ok(Self { slots, streams: streams.max(1) })
    }

    /// The first connection with room, else the least busy: a quiet system keeps one warm.
    pub fn lease(&self) -> Lease {
        let busy = |slot: &Slot| slot.in_flight.load(Ordering::Relaxed);
        let slot = self
            .slots
            .iter()
            .find(|slot| busy(slot) < self.streams)
            .or_else(|| self.slots.iter().min_by_key(|slot| busy(slot)))
            .expect("there is at least one connection by construction");
        slot.in_flight.fetch_add(1, Ordering::Relaxed);
        Lease { client: slot.client.clone(), in_flight: Arc::clone(&slot.in_flight) }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_fill_one_connection_before_they_open_the_next() {
        let connections = Connections::new(&HttpSettings::default(), None, 2, 2).expect("connections");
        let busy = || -> Vec<usize> {
            connections.slots.iter().map(|slot| slot.in_flight.load(Ordering::Relaxed)).collect()
        };
        let mut leases: Vec<_> = (0..3).map(|_| connections.lease()).collect();
        assert_eq!(busy(), [2, 1]);
        leases.extend((0..3).map(|_| connections.lease()));
        assert_eq!(busy(), [3, 3]);
        drop(leases);
        assert_eq!(busy(), [0, 0]);
    }
}
