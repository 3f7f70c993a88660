//! The gateway and its HTTP side, on whatever backends.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::process::Process;
use crate::api::{self, Accounts, Api, Forwarded, PushRules, Server};
use crate::auth::{
    self, AttemptLimiter, AttemptLimits, Issuer, JwksSettings, PasswordSettings, Passwords, Secret,
    ServerKeys, Verifier,
};
use crate::config::Config;
use crate::fanout::Fanout;
use crate::gateway::deflate::Compression;
use crate::gateway::{Gateway, Parts, Pushing, Settings};
use crate::push::{fake::Lookout, webpush};
use crate::queue::Queue;
use crate::store::Store;
use crate::tls::ServerConfigSource;

/// What a gateway of some role is built on.
pub struct Backends {
    pub queue: Arc<dyn Queue>,
    pub store: Arc<dyn Store>,
    pub fanout: Arc<dyn Fanout>,
    pub pushing: Pushing,
}

/// What `tidings dev` has and the roles have not.
pub struct DevSide {
    /// Set where fake push services run.
    pub fakes: Option<Lookout>,
}

/// A gateway that serves.
pub struct Front {
    gateway: Gateway,
    accepting: CancellationToken,
    events: CancellationToken,
}

impl Front {
    /// Starts the gateway and listens. `signing` is the secret of its own tokens, when it makes some.
    pub async fn start(
        process: &Process,
        backends: Backends,
        signing: Option<Secret>,
        dev: Option<DevSide>,
    ) -> anyhow::Result<Self> {
        let config = &process.config;
        let max_connections = process.files.max_connections(config.server.max_connections);
        if let Some(complaint) = process.files.complaint(config.server.max_connections) {
            tracing::warn!(complaint, "server.file_limit");
        }
        let own = auth::own_secret(signing.as_ref(), config.auth.hs256_secret.as_ref());
        let (verifier, warnings) = Verifier::new(&auth_settings(config, own)).context("auth")?;
        for warning in warnings {
            tracing::warn!(%warning, "auth");
        }
        let verifier = Arc::new(verifier);
        let keys = Arc::clone(&verifier);
        let stop = process.lifecycle.hard_stop();
        process.lifecycle.spawn(async move { keys.run(stop).await });

        let listener = TcpListener::bind(config.server.listen)
            .await
            .with_context(|| format!("cannot listen on {} (server.listen)", config.server.listen))?;
        let address = listener.local_addr()?;
        let events = CancellationToken::new();
        let gateway = Gateway::start(
            Parts {
                settings: settings(config, max_connections, dev.is_some()),
                queue: backends.queue,
                store: backends.store,
                fanout: backends.fanout,
                pushing: Some(backends.pushing).filter(|_| config.push.enabled),
                verifier,
                partitions: process.partitions(),
                metrics: Arc::clone(&process.metrics),
            },
            &events,
        );
        let api = Api {
            gateway: gateway.clone(),
            server_keys: Arc::new(ServerKeys::new(&config.auth.server_keys)),
            push: Arc::new(push_rules(config, dev.is_some())),
            accounts: accounts(config, signing)?,
            vapid_public_key: vapid_public_key(config)?,
            fakes: dev.and_then(|dev| dev.fakes),
        };
        let server = Server {
            header_timeout: config.server.header_timeout,
            max_header_bytes: config.server.max_header_bytes,
            max_connections,
            tls: tls(process)?,
            forwarded: Arc::new(Forwarded {
                trusted: config.server.trusted_proxies.clone(),
                header: config.server.forwarded_header.parse().context("server.forwarded_header")?,
            }),
            compression: config.gateway.compression.then_some(Compression {
                threshold: config.gateway.compression_threshold,
                limit: config.gateway.max_frame_bytes,
            }),
        };
        let accepting = CancellationToken::new();
        let scheme = if server.tls.is_some() { "https" } else { "http" };
        tokio::spawn(api::serve(listener, api::router(api), server, accepting.clone()));
        tracing::info!(url = format!("{scheme}://{address}/"), max_connections, "server.listen");
        Ok(Self { gateway, accepting, events })
    }

    pub async fn ready(&self) {
        self.gateway.ready().await;
    }

    /// Sends the clients away, then stops.
    pub async fn stop(self, process: &Process) {
        let drain = &process.config.drain;
        process.health.drain();
        tokio::time::sleep(drain.readiness_delay).await;
        self.gateway.drain(drain.window).await;
        self.accepting.cancel();
        self.events.cancel();
        self.gateway.finished(drain.flush_timeout).await;
    }
}

fn settings(config: &Config, max_connections: usize, is_dev: bool) -> Settings {
    Settings {
        server: config.server.clone(),
        gateway: config.gateway.clone(),
        ingress: config.ingress.clone(),
        auto_provision: config.auth.auto_provision,
        allow_loopback_origins: is_dev,
        max_connections,
    }
}

/// Test pushes. The address may be that of a backend which asks for all of its users.
const TESTS: AttemptLimits = AttemptLimits {
    user_burst: 5,
    user_every: Duration::from_secs(12),
    address_burst: 100,
    address_every: Duration::from_millis(100),
    remembered: 16_384,
};

fn push_rules(config: &Config, is_dev: bool) -> PushRules {
    let webpush = &config.webpush;
    PushRules {
        expiry: config.push.expiry,
        webpush_hosts: webpush.base_url.is_none().then(|| webpush.allowed_hosts.clone()),
        tests: AttemptLimiter::new(&TESTS),
        members_trace: is_dev,
    }
}

fn auth_settings(config: &Config, own_secret: Option<Secret>) -> auth::Settings {
    let auth = &config.auth;
    auth::Settings {
        own_secret,
        hs256_secret: auth.hs256_secret.clone(),
        public_keys: auth.public_key_files.iter().cloned().map(Into::into).collect(),
        jwks: auth.jwks_url.clone().map(|url| JwksSettings {
            url,
            issuer: auth.issuer.clone(),
            ca_file: auth.jwks_ca_file.clone(),
            refresh_every: auth.jwks_refresh,
            min_refetch_interval: auth.jwks_min_refresh,
            timeout: auth.jwks_timeout,
        }),
        issuers: auth.issuer.iter().cloned().collect(),
        audiences: auth.audience.iter().cloned().collect(),
        leeway: auth.leeway,
    }
}

/// So many times what one user may try is for one address: an office shares one.
const PEOPLE: u32 = 10;

fn accounts(config: &Config, signing: Option<Secret>) -> anyhow::Result<Option<Arc<Accounts>>> {
    let auth = &config.auth;
    if !auth.accounts {
        return Ok(None);
    }
    let signing = signing.context("auth.accounts needs auth.signing_secret")?;
    let passwords =
        PasswordSettings { at_once: auth.password_hash_concurrency, ..PasswordSettings::default() };
    let per_minute = auth.login_attempts_per_minute.max(1);
    let limits = AttemptLimits {
        user_burst: per_minute,
        user_every: Duration::from_secs(60) / per_minute,
        address_burst: per_minute.saturating_mul(PEOPLE),
        address_every: Duration::from_secs(60) / per_minute.saturating_mul(PEOPLE),
        ..AttemptLimits::default()
    };
    Ok(Some(Arc::new(Accounts {
        passwords: Passwords::new(&passwords)?,
        attempts: AttemptLimiter::new(&limits),
        issuer: Issuer::new(&signing),
        session_ttl: auth.session_ttl,
    })))
}

/// With what browsers subscribe. The key itself is the push stage's; a gateway is given it to know its public half.
fn vapid_public_key(config: &Config) -> anyhow::Result<Option<String>> {
    let key = config.webpush.vapid_private_key.as_ref();
    let public = key.map(|key| webpush::public_key(key.expose()));
    public.transpose().context("webpush.vapid_private_key")
}

fn tls(process: &Process) -> anyhow::Result<Option<Arc<ServerConfigSource>>> {
    let server = &process.config.server;
    let (Some(certificate), Some(key)) = (&server.tls_cert_file, &server.tls_key_file) else {
        return Ok(None);
    };
    let source = Arc::new(ServerConfigSource::load(certificate, key)?);
    let (watching, stop) = (Arc::clone(&source), process.lifecycle.hard_stop());
    process.lifecycle.spawn(async move { watching.run(stop).await });
    Ok(Some(source))
}
