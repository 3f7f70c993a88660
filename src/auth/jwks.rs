//! Keys from a JWKS URL: fetched by one task, read by everybody without waiting.

use std::time::Duration;

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::{SetupError, TokenError};
use super::key_set::{KeySet, KeySetError};
use super::settings::JwksSettings;

/// A set of 32 RSA-4096 keys with certificate chains stays below this.
const MAX_SET_BYTES: usize = 256 * 1024;

/// The first wait after a fetch that failed; it doubles up to `min_refetch_interval`.
const FIRST_BACKOFF: Duration = Duration::from_millis(500);

pub(super) struct Jwks {
    settings: JwksSettings,
    client: reqwest::Client,
    /// The last set that was good; kept when a later fetch fails.
    keys: ArcSwapOption<KeySet>,
    progress: watch::Sender<Progress>,
}

#[derive(Clone, Copy)]
struct Progress {
    /// Fetches that ended, well or not.
    ended: u64,
    running: bool,
    /// Somebody met a `kid` that is not in the set, since the last fetch began.
    wanted: bool,
    last_failed: bool,
    /// No fetch before this.
    next_at: Instant,
}

#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("the answer has status {0}")]
    Status(reqwest::StatusCode),
    #[error("the answer is larger than {MAX_SET_BYTES} bytes")]
    TooLarge,
    #[error(transparent)]
    Set(#[from] KeySetError),
}

impl Jwks {
    pub(super) fn new(settings: &JwksSettings) -> Result<Self, SetupError> {
        let https = settings.url.get(..8).is_some_and(|s| s.eq_ignore_ascii_case("https://"));
        if !https {
            return Err(SetupError::JwksNotHttps);
        }
        let tls = crate::tls::client_config(settings.ca_file.as_deref())?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            // The one configured URL: an answer cannot send us elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .timeout(settings.timeout)
            .user_agent(concat!("tidings/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let progress =
            Progress { ended: 0, running: false, wanted: false, last_failed: false, next_at: Instant::now() };
        Ok(Self {
            settings: settings.clone(),
            client,
            keys: ArcSwapOption::empty(),
            progress: watch::Sender::new(progress),
        })
    }

    pub(super) fn issuer(&self) -> Option<&str> {
        self.settings.issuer.as_deref()
    }

    /// The set in force; `None` until a fetch has succeeded.
    pub(super) fn current(&self) -> arc_swap::Guard<Option<std::sync::Arc<KeySet>>> {
        self.keys.load()
    }

    /// Waits for the end of a fetch that runs now or may begin now, for no longer than a fetch
    /// may take.
    ///
    /// # Errors
    /// `UnknownKey` when the set was fetched too recently to be fetched again, `KeysUnavailable`
    /// when it cannot be fetched.
    pub(super) async fn newer(&self) -> Result<(), TokenError> {
        let mut progress = self.progress.subscribe();
        let seen = *progress.borrow_and_update();
        if !seen.running {
            if Instant::now() < seen.next_at {
                let unavailable = seen.last_failed || self.keys.load().is_none();
                return Err(if unavailable { TokenError::KeysUnavailable } else { TokenError::UnknownKey });
            }
            // Not when a fetch has begun meanwhile: that one will do.
            self.progress.send_if_modified(|p| {
                let ask = !p.running && !p.wanted && p.ended == seen.ended;
                p.wanted |= ask;
                ask
            });
        }
        let ended = progress.wait_for(|now| now.ended != seen.ended);
        match tokio::time::timeout(self.settings.timeout, ended).await {
            Ok(Ok(now)) if !now.last_failed => Ok(()),
            _ => Err(TokenError::KeysUnavailable),
        }
    }

    /// Fetches at once, then regularly and when a key is wanted, until `shutdown`.
    pub(super) async fn run(&self, shutdown: &CancellationToken) {
        let mut backoff = FIRST_BACKOFF;
        loop {
            self.progress.send_modify(|p| {
                p.running = true;
                p.wanted = false;
            });
            let fetched = tokio::select! {
                () = shutdown.cancelled() => return,
                fetched = self.fetch() => fetched,
            };
            let failed = fetched.is_err();
            let soonest = self.settings.min_refetch_interval;
            let pause = match fetched {
                Ok(keys) => {
                    backoff = FIRST_BACKOFF;
                    tracing::debug!(keys = keys.len(), "JWKS fetched");
                    self.keys.store(Some(keys.into()));
                    soonest
                }
                Err(error) => {
                    let pause = spread(backoff.min(soonest));
                    backoff = backoff.saturating_mul(2);
                    let has_keys = self.keys.load().is_some();
                    // Without its URL, which may carry a key of its own.
                    tracing::warn!(error = %describe(error), has_keys, "JWKS cannot be fetched");
                    pause
                }
            };
            let next_at = Instant::now() + pause;
            self.progress.send_modify(|p| {
                p.ended += 1;
                p.running = false;
                p.last_failed = failed;
                p.next_at = next_at;
            });
            let regular = if failed { pause } else { self.settings.refresh_every.max(soonest) };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(regular) => {}
                () = self.wanted_after(next_at) => {}
            }
        }
    }

    async fn wanted_after(&self, moment: Instant) {
        let mut progress = self.progress.subscribe();
        tokio::time::sleep_until(moment).await;
        // Fails only when the sender is gone, and that is `self`.
        let _ = progress.wait_for(|p| p.wanted).await;
    }

    async fn fetch(&self) -> Result<KeySet, FetchError> {
        let mut answer = self.client.get(&self.settings.url).send().await?;
        if answer.status() != reqwest::StatusCode::OK {
            return Err(FetchError::Status(answer.status()));
        }
        let mut json = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if json.len() + chunk.len() > MAX_SET_BYTES {
                return Err(FetchError::TooLarge);
            }
            json.extend_from_slice(&chunk);
        }
        Ok(KeySet::parse(&json)?)
    }
}

/// Between half and all of `pause`, so that many gateways do not come back in step.
fn spread(pause: Duration) -> Duration {
    pause.mul_f64(rand::random_range(0.5..=1.0))
}

fn describe(error: FetchError) -> String {
    match error {
        FetchError::Http(error) => {
            let error = error.without_url();
            let mut text = error.to_string();
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text = format!("{text}: {cause}");
                source = cause.source();
            }
            text
        }
        other => other.to_string(),
    }
}
