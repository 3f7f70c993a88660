//! Where the server is: addresses, path, TLS, and the source addresses to come from.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio_rustls::TlsConnector;

/// Sockets from one source address to one server address. Linux lends 28,232 ports, but past a few thousand a connect searches long for
/// a free one: a third of what the generator did in a storm of logins.
const SOCKETS_PER_SOURCE: usize = 4_000;

pub struct Target {
    gateways: Vec<Gateway>,
    sources: Vec<IpAddr>,
    tls: Option<TlsConnector>,
}

pub struct Gateway {
    pub host: String,
    pub path: String,
    pub secure: bool,
    name: String,
    addresses: Vec<SocketAddr>,
}

/// How one socket connects.
pub struct Route<'a> {
    pub gateway: &'a Gateway,
    pub address: SocketAddr,
    pub source: Option<IpAddr>,
    pub tls: Option<(&'a TlsConnector, ServerName<'static>)>,
}

impl Target {
    /// Looks the URLs up; users are spread over all of them and all their addresses.
    pub async fn resolve(
        urls: &[String],
        sources: Vec<IpAddr>,
        ca_file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let mut gateways = Vec::new();
        for url in urls {
            gateways.push(Gateway::parse(url).await.with_context(|| format!("in {url}"))?);
        }
        let secure = gateways.iter().any(|gateway| gateway.secure);
        let tls = if secure { Some(connector(ca_file)?) } else { None };
        Ok(Self { gateways, sources, tls })
    }

    /// How the socket with this number connects.
    pub fn route(&self, number: usize) -> anyhow::Result<Route<'_>> {
        let gateway = &self.gateways[number % self.gateways.len()];
        let address = gateway.addresses[number / self.gateways.len() % gateway.addresses.len()];
        let source = match (self.sources.is_empty(), address.ip()) {
            (false, _) => Some(self.sources[number % self.sources.len()]),
            (true, IpAddr::V4(ip)) if ip.is_loopback() && number >= SOCKETS_PER_SOURCE => {
                let host = 1 + (number / SOCKETS_PER_SOURCE) as u8;
                Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)))
            }
            _ => None,
        };
        let tls = match (&self.tls, gateway.secure) {
            (Some(tls), true) => Some((tls, ServerName::try_from(gateway.name.clone())?)),
            _ => None,
        };
        Ok(Route { gateway, address, source, tls })
    }
}

impl Gateway {
    async fn parse(url: &str) -> anyhow::Result<Self> {
        let (secure, rest) = match url.split_once("://") {
            Some(("ws", rest)) => (false, rest),
            Some(("wss", rest)) => (true, rest),
            _ => bail!("a gateway is written ws://host:port/v1/ws or wss://…"),
        };
        let (host, path) = match rest.find('/') {
            Some(at) if rest.len() > at + 1 => rest.split_at(at),
            Some(at) => (&rest[..at], "/v1/ws"),
            None => (rest, "/v1/ws"),
        };
        let default_port = if secure { 443 } else { 80 };
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().context("the port")?),
            _ => (host, default_port),
        };
        let name = name.trim_start_matches('[').trim_end_matches(']');
        let found = tokio::net::lookup_host((name, port)).await.context("cannot find the host")?;
        let mut addresses: Vec<SocketAddr> = found.collect();
        // `localhost` resolves to both families and most servers listen on one of them.
        if addresses.iter().any(SocketAddr::is_ipv4) {
            addresses.retain(SocketAddr::is_ipv4);
        }
        anyhow::ensure!(!addresses.is_empty(), "the host has no address");
        Ok(Self { host: host.to_owned(), path: path.to_owned(), secure, name: name.to_owned(), addresses })
    }
}

fn connector(ca_file: Option<&Path>) -> anyhow::Result<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    if let Some(file) = ca_file {
        for certificate in CertificateDer::pem_file_iter(file).context("cannot read the CA file")? {
            roots.add(certificate.context("in the CA file")?)?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
