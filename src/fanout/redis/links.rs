//! The connections for commands: kept open for ever, and refused at once while Redis is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::types::Value;
use rand::RngExt;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::call::{self, Call};
use super::connect::{Connection, Connector};
use super::unavailable;
use crate::config;
use crate::fanout::FanoutError;

/// Whether Redis answers; for readiness, and to know when what was skipped can be made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RedisState {
    Connected,
    Away,
}

/// Pipelines under way on one connection. A batch is one or two, so this is far above what a process keeps busy; past it
/// callers wait, for as long as a command may take.
const UNDER_WAY: usize = 128;

/// The first pause between two attempts to connect.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How often an idle connection is asked whether it is still there.
const PING_EVERY: Duration = Duration::from_secs(1);

/// Answers of a primary that was demoted, a replica without its primary, or a server whose passwords changed. It answers pings.
const WRONG_SERVER: [&str; 4] = ["READONLY", "MASTERDOWN", "NOAUTH", "NOPERM"];

/// Nobody listens to the messages of these connections.
const NO_MESSAGES: usize = 16;

pub(super) struct Links {
    links: Vec<Arc<Link>>,
    next: AtomicUsize,
    command_timeout: Duration,
    state: watch::Receiver<RedisState>,
    tasks: Vec<AbortHandle>,
}

struct Link {
    client: ArcSwapOption<Client>,
    under_way: Semaphore,
    /// A command timed out: the connection is asked at once.
    doubt: Notify,
    /// The server behind it is not the one we want: the connection is given up, the address may lead elsewhere now.
    wrong: Notify,
}

impl Links {
    pub(super) fn start(settings: &config::Redis, connector: Arc<Connector>) -> Self {
        let (sender, state) = watch::channel(RedisState::Away);
        let links: Vec<Arc<Link>> = (0..settings.pool_size.max(1)).map(|_| Arc::new(Link::new())).collect();
        let keeper = Arc::new(Keeper {
            connector,
            command_timeout: settings.command_timeout,
            longest_pause: settings.reconnect_max,
            all: links.clone(),
            state: sender,
        });
        let keep = |link: &Arc<Link>| tokio::spawn(keeper.clone().keep(link.clone())).abort_handle();
        let tasks = links.iter().map(keep).collect();
        Self { links, next: AtomicUsize::new(0), command_timeout: settings.command_timeout, state, tasks }
    }

    pub(super) fn state(&self) -> watch::Receiver<RedisState> {
        self.state.clone()
    }

    /// Sends everything in one pipeline; one answer a call, in their order. Takes two command time-outs at most.
    pub(super) async fn send(&self, calls: &[Call]) -> Result<Vec<Value>, FanoutError> {
        let (link, client) = self.pick().ok_or_else(|| unavailable("Redis is away", None))?;
        let permit = timeout(self.command_timeout, link.under_way.acquire()).await;
        let _permit = permit.map_err(|_| unavailable("too many commands wait for Redis", None))?;
        call::send(&client, calls).await.map_err(|error| {
            if *error.kind() == ErrorKind::Timeout {
                link.doubt.notify_one();
            } else if WRONG_SERVER.iter().any(|code| error.details().starts_with(code)) {
                link.wrong.notify_one();
            }
            unavailable("Redis did not do it", Some(error))
        })
    }

    /// The next connection that is open.
    fn pick(&self) -> Option<(&Link, Arc<Client>)> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        (0..self.links.len()).find_map(|step| {
            let link = &self.links[first.wrapping_add(step) % self.links.len()];
            Some((&**link, link.client.load_full()?))
        })
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Link {
    fn new() -> Self {
        Self {
            client: ArcSwapOption::empty(),
            under_way: Semaphore::new(UNDER_WAY),
            doubt: Notify::new(),
            wrong: Notify::new(),
        }
    }
}

/// What the tasks that keep connections open share.
struct Keeper {
    connector: Arc<Connector>,
    command_timeout: Duration,
    longest_pause: Duration,
    all: Vec<Arc<Link>>,
    state: watch::Sender<RedisState>,
}

impl Keeper {
    /// Opens a connection again and again, for ever, with pauses that grow and differ from process to process.
    async fn keep(self: Arc<Self>, link: Arc<Link>) {
        let mut pause = FIRST_PAUSE;
        loop {
            let lost = match self.connector.open(NO_MESSAGES).await {
                Ok(mut connection) => {
                    pause = FIRST_PAUSE;
                    link.client.store(Some(Arc::new(connection.client.clone())));
                    self.report(None);
                    self.watch(&link, &mut connection).await
                }
                Err(error) => error,
            };
            link.client.store(None);
            self.report(Some(&lost));
            let jittered = pause.mul_f64(rand::rng().random_range(0.5..1.0));
            sleep(jittered).await;
            pause = (pause * 2).min(self.longest_pause);
        }
    }

    /// Until the connection is lost or does not answer.
    async fn watch(&self, link: &Link, connection: &mut Connection) -> Error {
        loop {
            tokio::select! {
                lost = connection.lost() => return lost,
                () = link.wrong.notified() => {
                    return Error::new(ErrorKind::IO, "the server became a replica or forgot who we are");
                }
                () = link.doubt.notified() => {}
                () = sleep(PING_EVERY) => {}
            }
            if let Err(silent) = connection.ping(self.command_timeout).await {
                return silent;
            }
        }
    }

    /// Says it once when Redis goes and once when it comes back.
    fn report(&self, lost: Option<&Error>) {
        let connected = self.all.iter().any(|link| link.client.load().is_some());
        let now = if connected { RedisState::Connected } else { RedisState::Away };
        let changed = self.state.send_if_modified(|state| std::mem::replace(state, now) != now);
        match (changed, now) {
            (true, RedisState::Connected) => tracing::info!("connected to Redis"),
            (true, RedisState::Away) => {
                tracing::warn!(error = lost.map(tracing::field::display), "Redis is away");
            }
            (false, _) => {
                tracing::debug!(error = lost.map(tracing::field::display), "a connection to Redis");
            }
        }
    }
}
