//! What all three services have in common.

use std::time::{Duration, Instant};

use super::process::Process;

/// Time for a service to come up; RabbitMQ needs about 6 s alone, and a minute or two on a machine that builds at the same time.
const START: Duration = Duration::from_secs(180);

/// Somebody else's service, or one of ours.
pub(super) struct Service {
    url: String,
    process: Option<Process>,
    faults: Faults,
}

/// Whether a test may break it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Faults {
    Allowed,
    Forbidden,
}

impl Service {
    /// The one at the URL in the environment, if there is one.
    pub(super) fn elsewhere(variable: &str) -> Option<Self> {
        let url = std::env::var(variable).ok().filter(|url| !url.is_empty())?;
        Some(Self { url, process: None, faults: Faults::Forbidden })
    }

    /// Starts it and waits until `is_ready`.
    pub(super) async fn start(
        url: String,
        process: Process,
        faults: Faults,
        is_ready: impl AsyncFn() -> bool,
    ) -> Self {
        process.start();
        let service = Self { url, process: Some(process), faults };
        service.wait(is_ready).await;
        service
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The processes, for a test that breaks them.
    ///
    /// # Panics
    /// When other tests use it too.
    pub(super) fn mine(&self) -> &Process {
        assert!(self.faults == Faults::Allowed, "others use this service: ask for `Stack::private`");
        self.process.as_ref().expect("a private service is one of ours")
    }

    pub(super) fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// # Panics
    /// When it ends, or is not ready in time, with the end of its log.
    pub(super) async fn wait(&self, is_ready: impl AsyncFn() -> bool) {
        let deadline = Instant::now() + START;
        loop {
            let answer = tokio::time::timeout(Duration::from_secs(2), is_ready()).await;
            if answer == Ok(true) {
                return;
            }
            let Some(process) = &self.process else { panic!("{} does not answer", self.url) };
            process.assert_runs();
            assert!(Instant::now() < deadline, "{} is not ready in time: {}", self.url, process.tail());
            // There is no event to wait for before a service listens.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
