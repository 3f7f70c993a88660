//! From settings to connections, each made ready before its first use.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::{Duration, Instant};

use deadpool_postgres::{Connect, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use tokio::task::JoinHandle;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::error::Failure;
use super::session::Session;
use super::tls::{self, Verification};
use crate::store::StoreError;

/// How much longer than the server's statement time-out a client waits: enough for the answer's way.
const GRACE: Duration = Duration::from_secs(1);

/// Reaches rows by their index whatever the statistics say (a plan made for an empty table lives on while the table grows),
/// makes each plan once, and compiles none: that takes longer than any statement here.
const PLANNER: &str = "SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
    SET enable_mergejoin = off; SET max_parallel_workers_per_gather = 0";

/// How to reach the database, and what to wait for at most.
#[derive(Clone)]
pub struct Settings {
    /// `postgres://user:password@host/database`; `sslmode` in it is `disable`, `prefer` (when absent), `require`,
    /// `verify-ca` or `verify-full`, as libpq has them.
    pub url: String,
    /// Certificates to trust, PEM; those of the system when absent. With one, `require` verifies the chain.
    pub ca_file: Option<PathBuf>,
    /// Connections for everything but appending.
    pub pool_size: usize,
    /// Connections for appending, so that a storm of logins does not hold up messages.
    pub worker_connections: usize,
    /// How long a call waits for a connection to be free.
    pub acquire_timeout: Duration,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long one statement may take; the server stops it.
    pub statement_timeout: Duration,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &"***")
            .field("ca_file", &self.ca_file)
            .field("pool_size", &self.pool_size)
            .field("worker_connections", &self.worker_connections)
            .field("acquire_timeout", &self.acquire_timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("statement_timeout", &self.statement_timeout)
            .finish()
    }
}

/// How full a pool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolState {
    pub limit: usize,
    /// Connections that are open,
    pub size: usize,
    /// of these not in use.
    pub idle: usize,
    /// Calls that wait for one.
    pub waiting: usize,
}

/// Is told how long calls waited for a connection.
pub trait PoolObserver: Send + Sync {
    fn acquired(&self, waited: Duration);
}

/// Connections of one purpose.
pub(super) struct Connections {
    pool: Pool,
    /// For one exchange with the server.
    deadline: Duration,
    /// For a connection, new or used.
    acquire: Duration,
}

impl Connections {
    /// Connects to nothing yet.
    pub(super) fn new(connector: &Connector, limit: usize, settings: &Settings) -> Result<Self, StoreError> {
        let manager = Manager::from_connect(
            connector.config.clone(),
            connector.clone(),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let pool = Pool::builder(manager)
            .max_size(limit.max(1))
            .runtime(Runtime::Tokio1)
            .timeouts(Timeouts {
                wait: Some(settings.acquire_timeout),
                create: Some(settings.connect_timeout),
                recycle: Some(settings.connect_timeout),
            })
            .build()
            .map_err(|error| invalid(&error))?;
        Ok(Self {
            pool,
            deadline: settings.statement_timeout.saturating_add(GRACE),
            acquire: settings.acquire_timeout.saturating_add(settings.connect_timeout.saturating_mul(2)),
        })
    }

    /// A connection that is free, or a new one.
    pub(super) async fn session(&self, observer: Option<&dyn PoolObserver>) -> Result<Session, Failure> {
        let asked = Instant::now();
        let object = tokio::time::timeout(self.acquire, self.pool.get())
            .await
            .map_err(|_| Failure::Deadline(self.acquire))??;
        if let Some(observer) = observer {
            observer.acquired(asked.elapsed());
        }
        Ok(Session::new(object, self.deadline))
    }

    pub(super) fn state(&self) -> PoolState {
        let status = self.pool.status();
        PoolState {
            limit: status.max_size,
            size: status.size,
            idle: status.available,
            waiting: status.waiting,
        }
    }
}

/// Makes connections and sets them up.
#[derive(Clone)]
pub(super) struct Connector {
    config: Config,
    tls: MakeRustlsConnect,
    setup: String,
}

impl Connector {
    /// # Errors
    /// [`StoreError::Refused`] when the settings make no sense.
    pub(super) fn new(settings: &Settings) -> Result<Self, StoreError> {
        let (url, verify) = split_sslmode(&settings.url);
        let mut config: Config = url.parse().map_err(|error| invalid(&error))?;
        if config.get_hosts().is_empty() {
            return Err(StoreError::Refused {
                message: "the database's URL names no host".into(),
                source: None,
            });
        }
        let verification = match (verify, config.get_ssl_mode(), &settings.ca_file) {
            (Some(verification), ..) => verification,
            (None, SslMode::Require, Some(_)) => Verification::Chain,
            _ => Verification::None,
        };
        config.connect_timeout(settings.connect_timeout);
        // A connection on which the other side stopped answering is given up by the kernel too.
        config.tcp_user_timeout(settings.statement_timeout.saturating_add(GRACE));
        config.keepalives_idle(Duration::from_secs(30));
        if config.get_application_name().is_none() {
            config.application_name("tidings");
        }
        let milliseconds = settings.statement_timeout.as_millis().max(1);
        Ok(Self {
            config,
            tls: tls::connector(verification, settings.ca_file.as_deref())?,
            // A worker that is paused inside a transaction must not hold its locks for ever.
            setup: format!(
                "SET statement_timeout = {milliseconds}; SET idle_in_transaction_session_timeout = {milliseconds}; {PLANNER}"
            ),
        })
    }

    /// A connection outside any pool, on which statements may take as long as they want.
    pub(super) async fn connect_unbounded(&self) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
        let (client, connection) = self.config.connect(self.tls.clone()).await?;
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to Postgres ended");
            }
        });
        Ok((client, task))
    }
}

type Connecting<'a> =
    Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), tokio_postgres::Error>> + Send + 'a>>;

impl Connect for Connector {
    fn connect(&self, _config: &Config) -> Connecting<'_> {
        Box::pin(async move {
            let (client, task) = self.connect_unbounded().await?;
            client.batch_execute(&self.setup).await?;
            Ok((client, task))
        })
    }
}

/// The driver knows no `verify-ca` and `verify-full`: to it they are `require`.
fn split_sslmode(url: &str) -> (String, Option<Verification>) {
    for (mode, verification) in
        [("sslmode=verify-full", Verification::Full), ("sslmode=verify-ca", Verification::Chain)]
    {
        if url.contains(mode) {
            return (url.replace(mode, "sslmode=require"), Some(verification));
        }
    }
    (url.to_owned(), None)
}

fn invalid(error: &dyn std::error::Error) -> StoreError {
    let cause = error.source().map(|cause| format!(": {cause}"));
    StoreError::Refused {
        message: format!("the database's settings make no sense: {error}{}", cause.unwrap_or_default()),
        source: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_modes_that_verify_are_told_apart() {
        let (url, mode) = split_sslmode("postgres://a@b/c?sslmode=verify-full");
        assert_eq!(url, "postgres://a@b/c?sslmode=require");
        assert_eq!(mode, Some(Verification::Full));
        assert_eq!(split_sslmode("host=b sslmode=verify-ca").1, Some(Verification::Chain));
        assert_eq!(split_sslmode("postgres://a@b/c?sslmode=require").1, None);
    }

    #[test]
    fn settings_are_printed_without_the_password() {
        let settings = Settings {
            url: "postgres://a:secret@b/c".into(),
            ca_file: None,
            pool_size: 1,
            worker_connections: 1,
            acquire_timeout: Duration::from_secs(1),
            connect_timeout: Duration::from_secs(1),
            statement_timeout: Duration::from_secs(1),
        };
        assert!(!format!("{settings:?}").contains("secret"));
    }
}
