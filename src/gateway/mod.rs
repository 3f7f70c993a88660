//! The gateway: holds the sockets, takes what clients send to the queue and brings them what the fan-out carries.
//!
//! A socket's life: [`handshake`] checks the upgrade, [`connection`] waits for `hello` and then loops, [`login`] registers its routes and
//! syncs it, [`commands`] do what its frames ask for, [`outbox`] holds what waits to be written.

pub mod access;
mod answers;
mod clears;
mod coalesce;
pub mod commands;
mod connection;
pub mod deflate;
mod deliver;
mod drain;
mod ephemeral;
mod frames;
pub mod handshake;
mod ingress;
mod journal;
mod late;
pub mod limits;
mod linger;
mod login;
mod meters;
mod opening;
pub mod outbox;
mod pace;
mod packing;
mod positions;
mod probe;
pub mod rates;
pub mod registry;
mod requests;
mod routes;
pub mod session;
mod shelf;
mod sync;
mod turns;
mod watchers;
mod writer;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::access::Access;
use self::answers::Answers;
use self::ephemeral::Ephemeral;
use self::ingress::Ingress;
use self::journal::Journal;
use self::late::Late;
use self::login::Logins;
use self::pace::Paces;
use self::positions::Positions;
use self::rates::UserRates;
use self::registry::Registry;
use self::requests::Requests;
use self::routes::Routes;
use self::shelf::Shelves;
use self::turns::Turns;
use self::watchers::Watchers;
use crate::auth::Verifier;
use crate::config;
use crate::fanout::Fanout;
use crate::model::{ConversationId, GatewayId, Seq, Timestamp};
use crate::queue::{Partitions, Queue};
use crate::store::Store;
use crate::telemetry::Metrics;

pub use self::answers::Awaited;
pub use self::clears::Pushing;
pub use self::connection::closing_handshake;
pub use self::frames::failure;
pub use self::linger::{Linger, Lingering};
pub use self::session::Problem;

/// What a gateway is made of.
pub struct Parts {
    pub settings: Settings,
    pub queue: Arc<dyn Queue>,
    pub store: Arc<dyn Store>,
    pub fanout: Arc<dyn Fanout>,
    /// `None` when push is switched off.
    pub pushing: Option<Pushing>,
    pub verifier: Arc<Verifier>,
    pub partitions: Partitions,
    pub metrics: Arc<Metrics>,
}

/// The sections of the configuration that a gateway reads.
#[derive(Clone)]
pub struct Settings {
    pub server: config::Server,
    pub gateway: config::Gateway,
    pub ingress: config::Ingress,
    pub auto_provision: bool,
    /// Origins of this machine are allowed, as in `dev`.
    pub allow_loopback_origins: bool,
    /// Sockets that may be open at once.
    pub max_connections: usize,
}

/// A running gateway. Cheap to clone.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

pub struct Inner {
    pub settings: Settings,
    pub store: Arc<dyn Store>,
    pub fanout: Arc<dyn Fanout>,
    pub verifier: Arc<Verifier>,
    pub access: Access,
    pub metrics: Arc<Metrics>,
    registry: Arc<Registry>,
    routes: Routes,
    ingress: Ingress,
    watchers: Watchers,
    positions: Positions,
    pub pushing: Option<Pushing>,
    journal: Journal,
    answers: Answers,
    requests: Requests,
    logins: Logins,
    shelves: Arc<Shelves>,
    turns: Turns,
    ephemeral: Ephemeral,
    paces: Paces,
    rates: UserRates,
    late: Late,
    /// The id of the subscription that stands; `None` while there is none.
    subscribed: watch::Sender<Option<GatewayId>>,
    draining: AtomicBool,
    /// Sockets' tasks and what they leave behind.
    tasks: TaskTracker,
}

impl Deref for Gateway {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Gateway {
    /// Starts the gateway's own tasks, which end with `stop`.
    pub fn start(parts: Parts, stop: &CancellationToken) -> Self {
        let Parts { settings, queue, store, fanout, pushing, verifier, partitions, metrics } = parts;
        let registry = Arc::new(Registry::default());
        let shelves = Arc::new(Shelves::default());
        let gateway = Self(Arc::new(Inner {
            access: Access::new(Arc::clone(&store), settings.gateway.conversation_cache),
            routes: Routes::start(Arc::clone(&registry), Arc::clone(&shelves), Arc::clone(&fanout)),
            ingress: Ingress::start(&queue, partitions, settings.ingress.clone(), &metrics),
            logins: Logins::new(&store),
            shelves,
            ephemeral: Ephemeral::start(Arc::clone(&fanout)),
            watchers: Watchers::default(),
            positions: Positions::default(),
            turns: Turns::new(turns::AT_ONCE),
            pushing,
            journal: Journal::default(),
            answers: Answers::default(),
            late: Late::new(settings.gateway.accepted_delay),
            requests: Requests::default(),
            paces: Paces::new(),
            rates: UserRates::new(&settings.gateway),
            subscribed: watch::Sender::new(None),
            draining: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            registry,
            settings,
            store,
            fanout,
            verifier,
            metrics,
        }));
        gateway.metrics.gateway.connections_limit.set(gateway.settings.max_connections as i64);
        gateway.tasks.spawn(gateway.clone().deliver(stop.clone()));
        gateway.tasks.spawn(gateway.clone().flush_positions(stop.clone()));
        let (late, stop) = (gateway.clone(), stop.clone());
        gateway.tasks.spawn(async move { late.late.run(stop).await });
        gateway
    }

    /// When an entry came here from the fan-out, of the last ones that did.
    pub fn came_at(&self, id: ConversationId, seq: Seq) -> Option<Timestamp> {
        self.journal.came_at(id, seq)
    }

    /// A name or a picture changed, of which no event tells.
    pub fn profile_changed(&self) {
        self.shelves.forget_all();
    }

    /// A request whose answer comes by the fan-out; `None` while the gateway hears nothing.
    pub fn await_answer(&self) -> Option<Awaited> {
        self.subscribed.borrow().map(|gateway| self.answers.expect(gateway))
    }

    /// Resolves once the gateway hears events.
    pub async fn ready(&self) {
        let mut subscribed = self.subscribed.subscribe();
        // An error means that the gateway is gone; its own sender is held here.
        let _ = subscribed.wait_for(Option::is_some).await;
    }
}
