//! Start and stop of a process: signals, the tasks that have to end, the file limit.

use std::{future::Future, io, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Time that tasks get between the hard stop and giving up on them.
const AFTER_HARD_STOP: Duration = Duration::from_secs(2);

/// Open files that are no sockets of clients: connections to services, database, listeners.
const RESERVED_FILES: u64 = 256;

/// Below this a gateway is smaller than its machine.
const ENOUGH_FILES: u64 = 16_384;

/// Stops in two steps: softly (drain, flush), then hard. Passed down, never global; clones
/// share it.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

/// How the tasks ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All by themselves.
    Softly,
    /// Some had to be stopped hard.
    Hard,
    /// Some did not even end then.
    Abandoned,
}

impl Lifecycle {
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the process should take no more work and end what it has.
    pub fn soft_stop(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when the process ends now. Implies the soft stop.
    pub fn hard_stop(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// A task that [`Lifecycle::finish`] waits for.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.tasks.spawn(task)
    }

    /// For those who spawn tasks of their own.
    pub fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    pub fn stop(&self) {
        self.soft.cancel();
    }

    pub fn stop_hard(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// SIGTERM or SIGINT stops softly, a second one hard.
    pub fn stop_on_signals(&self) -> io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let lifecycle = self.clone();
        // Not tracked: it waits for a second signal for as long as the process lives.
        tokio::spawn(async move {
            loop {
                let name = tokio::select! {
                    Some(()) = terminate.recv() => "SIGTERM",
                    Some(()) = interrupt.recv() => "SIGINT",
                    else => return,
                };
                if lifecycle.soft.is_cancelled() {
                    tracing::warn!(signal = name, "stopping at once");
                    return lifecycle.stop_hard();
                }
                tracing::info!(signal = name, "stopping; a second signal stops at once");
                lifecycle.stop();
            }
        });
        Ok(())
    }

    /// Waits for the soft stop, then for all tasks: at most `limit`, then it stops them hard.
    pub async fn finish(&self, limit: Duration) -> Ended {
        self.soft.cancelled().await;
        self.tasks.close();
        tokio::select! {
            () = self.tasks.wait() => return Ended::Softly,
            () = self.hard.cancelled() => {}
            () = tokio::time::sleep(limit) => {
                tracing::warn!(tasks = self.tasks.len(), "tasks are not done in time");
            }
        }
        self.stop_hard();
        match tokio::time::timeout(AFTER_HARD_STOP, self.tasks.wait()).await {
            Ok(()) => Ended::Hard,
            Err(_) => Ended::Abandoned,
        }
    }
}

/// How many files this process may have open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimit(u64);

impl FileLimit {
    /// Raises the limit to the highest that the system lets this process have.
    pub fn raise() -> io::Result<Self> {
        rlimit::increase_nofile_limit(u64::MAX).map(Self)
    }

    /// The sockets of clients that fit: what is configured, or when that is 0 what is left.
    pub fn max_connections(self, configured: usize) -> usize {
        match configured {
            0 => usize::try_from(self.0.saturating_sub(RESERVED_FILES)).unwrap_or(usize::MAX),
            configured => configured,
        }
    }

    /// What to tell the operator when the limit is too low for the configured connections.
    pub fn complaint(self, configured: usize) -> Option<String> {
        let needed = match configured {
            0 => ENOUGH_FILES,
            configured => (configured as u64).saturating_add(RESERVED_FILES),
        };
        (self.0 < needed).then(|| {
            format!(
                "the file limit of {} is too low: {needed} are needed for {}; raise the hard limit (ulimit -Hn, LimitNOFILE)",
                self.0,
                match configured {
                    0 => "a gateway of useful size".to_owned(),
                    configured => format!("server.max_connections = {configured}"),
                },
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn tasks_that_end_after_the_soft_stop_end_softly() {
        let lifecycle = Lifecycle::new();
        let soft = lifecycle.soft_stop();
        lifecycle.spawn(async move { soft.cancelled().await });
        lifecycle.stop();
        assert_eq!(lifecycle.finish(Duration::from_secs(10)).await, Ended::Softly);
        assert!(!lifecycle.hard_stop().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_take_too_long_are_stopped_hard() {
        let lifecycle = Lifecycle::new();
        let hard = lifecycle.hard_stop();
        lifecycle.spawn(async move { hard.cancelled().await });
        lifecycle.stop();
        let start = tokio::time::Instant::now();
        assert_eq!(lifecycle.finish(Duration::from_secs(10)).await, Ended::Hard);
        assert_eq!(start.elapsed(), Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_never_end_are_abandoned() {
        let lifecycle = Lifecycle::new();
        lifecycle.spawn(std::future::pending::<()>());
        lifecycle.stop_hard();
        assert_eq!(lifecycle.finish(Duration::from_secs(10)).await, Ended::Abandoned);
    }

    #[tokio::test]
    async fn a_signal_stops_softly_and_a_second_one_hard() {
        let lifecycle = Lifecycle::new();
        lifecycle.stop_on_signals().unwrap();
        let raise = || {
            let pid = std::process::id().to_string();
            let done = std::process::Command::new("sh").args(["-c", &format!("kill -TERM {pid}")]).status();
            assert!(done.unwrap().success());
        };
        let soon = |token: CancellationToken| async move {
            tokio::time::timeout(Duration::from_secs(10), token.cancelled()).await.unwrap();
        };
        raise();
        soon(lifecycle.soft_stop()).await;
        assert!(!lifecycle.hard_stop().is_cancelled());
        raise();
        soon(lifecycle.hard_stop()).await;
    }

    #[test]
    fn the_limit_is_raised_and_shared_out() {
        let raised = FileLimit::raise().unwrap();
        assert_eq!(rlimit::getrlimit(rlimit::Resource::NOFILE).unwrap().0, raised.0);
        assert_eq!(FileLimit(20_000).max_connections(0), 19_744);
        assert_eq!(FileLimit(20_000).max_connections(500), 500);
        assert_eq!(FileLimit(100).max_connections(0), 0);
    }

    #[test]
    fn a_limit_that_is_too_low_is_complained_about() {
        assert_eq!(FileLimit(20_000).complaint(0), None);
        assert_eq!(FileLimit(1_000).complaint(500), None);
        let text = FileLimit(1_024).complaint(0).unwrap();
        assert!(text.contains("1024") && text.contains("16384"), "{text}");
        let text = FileLimit(20_000).complaint(20_000).unwrap();
        assert!(text.contains("20256") && text.contains("max_connections = 20000"), "{text}");
    }
}
