use crate::push::provider::{HttpSettings, Source};

/// How to reach Apple, and as whom.
#[derive(Debug, Clone)]
pub struct Settings {
    pub authentication: Authentication,
    /// Takes the place of Apple's hosts for every environment: an egress gateway or a fake.
    pub base_url: Option<String>,
    /// The topic of devices that registered without an `app_id`.
    pub default_topic: Option<String>,
    /// Topics that may be pushed to; empty allows any.
    pub topics: Vec<String>,
    /// HTTP/2 connections to each host, opened when the ones before are full.
    pub connections: usize,
    /// Requests at a time on one connection. Apple allows about 1,000 streams.
    pub streams_per_connection: usize,
    pub http: HttpSettings,
}

#[derive(Debug, Clone)]
pub enum Authentication {
    /// A signing key (`.p8`) of the team: covers all its topics in both environments.
    Token { key: Source, key_id: Source, team_id: String },
    /// A client certificate with its chain and its private key, PEM; they may be one file.
    Certificate { chain: Source, key: Source },
}

impl Settings {
    pub fn new(authentication: Authentication) -> Self {
        Self {
            authentication,
            base_url: None,
            default_topic: None,
            topics: Vec::new(),
            connections: 4,
            streams_per_connection: 500,
            http: HttpSettings::default(),
        }
    }
}
