//! `tidings probe`: sends a message through a running installation and waits until it is stored.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::Args;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Failure, print};
use crate::config::{Sources, load};

/// Send a message through an installation and wait until it is stored
///
/// Makes two users of its own, sends from one to the other by HTTP and reads it as the other: API, queue, worker and database.
/// Signs their tokens with auth.hs256_secret; the server must have the same, and auth.auto_provision on. Exits with 0 when the
/// message arrived.
#[derive(Debug, Args)]
#[command(after_help = "Example: tidings probe --url http://tidings:8080 --timeout 30s")]
pub struct ProbeArgs {
    /// Address of a gateway
    #[arg(long, value_name = "URL")]
    url: String,
    /// How long it may take in all
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,
}

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

impl ProbeArgs {
    pub fn run(self, sources: &Sources) -> Result<(), Failure> {
        let config = load(sources)?.config;
        let auth = config.auth;
        let secret = auth.hs256_secret.context("auth.hs256_secret is not set: no token can be signed")?;
        let signer = Signer {
            key: EncodingKey::from_secret(secret.expose().as_bytes()),
            issuer: auth.issuer,
            audience: auth.audience,
        };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("no runtime")?;
        let took = runtime.block_on(self.probe(&signer))?;
        print(&format!("a message went through in {} ms\n", took.as_millis()))
    }

    async fn probe(&self, signer: &Signer) -> anyhow::Result<Duration> {
        let deadline = Instant::now() + self.timeout;
        let http =
            reqwest::Client::builder().timeout(Duration::from_secs(5)).build().context("no HTTP client")?;
        let tag = Uuid::now_v7().simple().to_string();
        let (sender, receiver) = (format!("probe-{tag}-a"), format!("probe-{tag}-b"));
        let base = self.url.trim_end_matches('/');
        let message = json!({"to": receiver, "client_id": Uuid::new_v4(), "text": tag});
        let began = Instant::now();
        let id = loop {
            // The same `client_id` each time: sent twice, it is there once.
            let sent = http.post(format!("{base}/v1/messages")).bearer_auth(signer.token(&sender)?);
            match answer(sent.body(message.to_string())).await {
                Ok(accepted) => {
                    break accepted["conversation_id"].as_str().context("no conversation_id")?.to_owned();
                }
                Err(error) if Instant::now() >= deadline => return Err(error.context("not accepted in time")),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        };
        loop {
            let read = http
                .get(format!("{base}/v1/conversations/{id}/messages"))
                .bearer_auth(signer.token(&receiver)?);
            let arrived = match answer(read).await {
                Ok(list) => list["messages"][0]["text"] == tag.as_str(),
                Err(_) => false,
            };
            if arrived {
                return Ok(began.elapsed());
            }
            if Instant::now() >= deadline {
                bail!("accepted, but not stored in time: does a worker run?");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await.context("no answer")?;
    let status = answer.status();
    let body: Value = answer.json().await.context("no JSON")?;
    if !status.is_success() {
        bail!("{status}: {}", body["detail"].as_str().unwrap_or_default());
    }
    Ok(body)
}

/// Signs tokens as the application would.
struct Signer {
    key: EncodingKey,
    issuer: Option<String>,
    audience: Option<String>,
}

impl Signer {
    fn token(&self, user: &str) -> anyhow::Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
        let mut claims = json!({"sub": user, "iat": now, "exp": now + 300});
        for (name, value) in [("iss", &self.issuer), ("aud", &self.audience)] {
            if let Some(value) = value {
                claims[name] = json!(value);
            }
        }
        encode(&Header::default(), &claims, &self.key).context("no token could be signed")
    }
}
