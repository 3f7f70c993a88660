//! Keeps one connection to the broker: opened again for ever.

use std::mem::discriminant;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::{Connection, Event};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::backoff::Backoff;
use super::error::{in_words, unavailable};
use super::open::open;
use super::state::{Board, Purpose, State};
use super::topology::Topology;
use crate::queue::QueueError;

/// What is made of a connection before it counts as connected.
pub(super) trait Use: Send + Sync + Sized + 'static {
    const PURPOSE: Purpose;

    fn prepare(
        connection: Connection,
        topology: &Topology,
    ) -> impl Future<Output = Result<Self, QueueError>> + Send;

    fn connection(&self) -> &Connection;

    /// Whether everything that was made of the connection still works.
    fn works(&self) -> bool {
        self.connection().status().connected()
    }
}

/// A connection that comes back.
pub(super) struct Link<U> {
    live: watch::Receiver<Live<U>>,
    declare: Arc<Notify>,
}

/// A connection as it is now.
struct Live<U> {
    state: State,
    used: Option<Arc<U>>,
}

impl<U: Use> Link<U> {
    /// Connects in the background until `stop`.
    pub fn start(
        settings: Arc<Settings>,
        topology: Arc<Topology>,
        board: Arc<Board>,
        stop: CancellationToken,
    ) -> Self {
        let state = State::Disconnected { reason: "not connected yet".into() };
        let (sender, live) = watch::channel(Live { state, used: None });
        let declare = Arc::new(Notify::new());
        let keeper =
            Keeper { settings, topology, board, live: sender, declare: Arc::clone(&declare), said: None };
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = keeper.run() => {}
            }
        });
        Self { live, declare }
    }

    /// What there is now, at once; or why there is nothing: not connected, or blocked by an alarm.
    pub fn now(&self) -> Result<Arc<U>, String> {
        let live = self.live.borrow();
        match (&live.state, &live.used) {
            (State::Connected, Some(used)) => Ok(Arc::clone(used)),
            (state, _) => Err(reason(state)),
        }
    }

    /// Waits until it is connected; an alarm is no obstacle.
    pub async fn connected(&self) -> Result<Arc<U>, QueueError> {
        let mut live = self.live.clone();
        let found = live.wait_for(|live| live.used.is_some()).await;
        let used = found.ok().and_then(|live| live.used.clone());
        used.ok_or_else(|| unavailable("it is shut down"))
    }

    /// Resolves with the reason as soon as `used` is not what there is any more, or is blocked.
    pub async fn fails(&self, used: &Arc<U>) -> String {
        let mut live = self.live.clone();
        let failed = live.wait_for(|live| {
            let same = live.used.as_ref().is_some_and(|now| Arc::ptr_eq(now, used));
            !same || live.state != State::Connected
        });
        failed.await.map_or_else(|_| "it is shut down".to_owned(), |live| reason(&live.state))
    }

    /// Asks for everything to be declared again: something is missing that was there.
    pub fn declare_again(&self) {
        self.declare.notify_one();
    }
}

fn reason(state: &State) -> String {
    match state {
        State::Connected => "the connection was replaced".to_owned(),
        State::Blocked { reason } => format!("blocked by the broker: {reason}"),
        State::Disconnected { reason } => reason.clone(),
    }
}

/// The task behind a link.
struct Keeper<U> {
    settings: Arc<Settings>,
    topology: Arc<Topology>,
    board: Arc<Board>,
    live: watch::Sender<Live<U>>,
    declare: Arc<Notify>,
    /// What was logged last: one line for each change.
    said: Option<std::mem::Discriminant<State>>,
}

/// How often a connection is looked at beside its events.
const LOOK: Duration = Duration::from_secs(1);

impl<U: Use> Keeper<U> {
    async fn run(mut self) {
        let mut backoff = Backoff::new(self.settings.reconnect_max);
        loop {
            let reason = match self.connect().await {
                Ok((used, events)) => {
                    backoff = Backoff::new(self.settings.reconnect_max);
                    self.become_(State::Connected, Some(Arc::clone(&used)));
                    self.watch_over(&used, events).await
                }
                Err(error) => in_words(error),
            };
            self.become_(State::Disconnected { reason }, None);
            tokio::time::sleep(backoff.next(rand::random())).await;
        }
    }

    async fn connect(&self) -> Result<(Arc<U>, BoxStream<'static, Event>), QueueError> {
        let connection = open(&self.settings, U::PURPOSE).await?;
        // Before anything is done with it, so that no event is missed.
        let events = connection.events_listener().boxed();
        self.topology.declare(&connection).await?;
        Ok((Arc::new(U::prepare(connection, &self.topology).await?), events))
    }

    /// Returns why it does not work any more.
    async fn watch_over(&mut self, used: &Arc<U>, mut events: BoxStream<'static, Event>) -> String {
        let mut look = tokio::time::interval(LOOK);
        let mut error = "the connection or a channel of it was closed".to_owned();
        loop {
            tokio::select! {
                event = events.next() => match event {
                    Some(Event::ConnectionBlocked(reason)) => {
                        self.become_(State::Blocked { reason }, Some(Arc::clone(used)));
                    }
                    Some(Event::ConnectionUnblocked) => self.become_(State::Connected, Some(Arc::clone(used))),
                    Some(Event::Error(event)) => error = event.to_string(),
                    Some(_) => {}
                    None => return error,
                },
                _ = look.tick() => {}
                () = self.declare.notified() => {
                    if let Err(error) = self.topology.declare(used.connection()).await {
                        return in_words(error);
                    }
                }
            }
            if !used.works() {
                return error;
            }
        }
    }

    fn become_(&mut self, state: State, used: Option<Arc<U>>) {
        let connection = U::PURPOSE.name();
        if self.said.replace(discriminant(&state)) != Some(discriminant(&state)) {
            match &state {
                State::Connected => tracing::info!(connection, "queue.connected"),
                State::Blocked { reason } => tracing::warn!(connection, reason, "queue.blocked"),
                State::Disconnected { reason } => tracing::warn!(connection, reason, "queue.disconnected"),
            }
        }
        // First what is used, then what is shown: who waits for the latter uses the former.
        self.live.send_replace(Live { state: state.clone(), used });
        self.board.set(U::PURPOSE, state);
    }
}
