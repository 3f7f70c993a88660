//! A lane on the embedded backends.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::doubles::{Gated, Losing, Script};
use crate::config::Config;
use crate::fanout::embedded::EmbeddedFanout;
use crate::model::{
    Body, ClientId, ConversationId, DeviceId, EntryKind, NewEntry, Platform, Seq, Timestamp, UserId,
};
use crate::push::board::{self, Board as _, Rules, Screen, ScreenKey};
use crate::push::decide::Patience;
use crate::push::deliver::Lane;
use crate::push::job::{Claim, Job, Notice, Phone, Ring};
use crate::push::limits::{LimitSettings, Limited};
use crate::push::providers::{self, Providers};
use crate::push::stage::{Parts, Settings};
use crate::push::tests::Kept;
use crate::queue::embedded::{self, EmbeddedQueue};
use crate::queue::{Partitions, PushLane, PushQueue as _, Queue as _};
use crate::store::{Appended, Position, Registration, Store, sqlite};
use crate::telemetry::Metrics;
use crate::telemetry::metrics::{PushDecision, Role};

/// How long anything may take that is to happen.
const SOON: Duration = Duration::from_secs(20);

pub struct Rig {
    pub provider: Script,
    pub board: Gated,
    pub consumers: Losing,
    pub store: Arc<dyn Store>,
    metrics: Arc<Metrics>,
    queue: EmbeddedQueue,
    parts: Option<Parts>,
    limits: LimitSettings,
    running: Option<(CancellationToken, JoinHandle<()>)>,
    _folder: TempDir,
}

impl Rig {
    /// Nothing runs yet. At most so many requests at a time.
    pub fn new(concurrency: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store: Arc<dyn Store> = Arc::new(sqlite::open(folder.path(), 2).unwrap());
        let queue = embedded::open(folder.path(), Partitions::new(NonZeroU16::MIN), 100).unwrap();
        let config = Config::defaults();
        let metrics = Arc::new(Metrics::new(Role::Push));
        let board = Gated::new(queue.clone());
        let consumers = Losing::new(queue.clone());
        let parts = Parts {
            jobs: Arc::new(consumers.clone()),
            queue: Arc::new(queue.clone()),
            store: Arc::clone(&store),
            fanout: Arc::new(EmbeddedFanout::new()),
            board: Arc::new(board.clone()),
            providers: Providers::new(&config, Arc::new(Kept::default())).unwrap(),
            ack_tokens: None,
            settings: Settings {
                patience: Patience {
                    ack_deadline: Duration::from_secs(10),
                    hold_until_unread: Duration::ZERO,
                    expiry: Duration::from_secs(3600),
                },
                grace: Duration::ZERO,
                rules: Rules { burst: 5, interval: Duration::from_secs(2) },
                style: providers::style(&config.push).unwrap(),
                max_invalid_ratio: 1.0,
                concurrency,
                request_timeout: Duration::from_secs(10),
                retry_max: Duration::from_secs(1),
            },
            metrics: Arc::clone(&metrics),
        };
        let limits = LimitSettings { concurrency, per_second: None, burst: NonZeroU32::MIN };
        Self {
            provider: Script::default(),
            board,
            consumers,
            store,
            metrics,
            queue,
            parts: Some(parts),
            limits,
            running: None,
            _folder: folder,
        }
    }

    /// Runs the lane until the end of the test.
    pub fn run(&mut self) {
        let (stop, parts) = (CancellationToken::new(), Arc::new(self.parts.take().expect("it runs once")));
        let provider = Arc::new(Limited::new(self.provider.clone(), self.limits));
        let lane = Lane::new(PushLane::Log, provider, parts);
        self.running = Some((stop.clone(), tokio::spawn(lane.run(stop))));
    }

    /// Tells the lane to stop; `ended` waits for it.
    pub fn stop(&self) {
        self.running.as_ref().expect("it runs").0.cancel();
    }

    pub async fn ended(&mut self) {
        let (_, running) = self.running.take().expect("it runs");
        tokio::time::timeout(SOON, running).await.expect("it ends").expect("without a panic");
    }

    /// A text of ann's to somebody with one phone, whose token is their name.
    pub async fn said_to(&self, name: &str) -> Notice {
        let (ann, peer) = (user("ann"), user(name));
        let conversation_id = ConversationId::direct(&ann, &peer);
        let entry = NewEntry {
            conversation_id,
            sender_id: ann.clone(),
            client_id: ClientId::new(),
            kind: EntryKind::Text,
            body: Body { text: Some("hello".to_owned()), ..Body::default() },
            peer: Some(peer.clone()),
            create: true,
            provision: true,
            received_ms: Timestamp::now().as_millis(),
            origin: None,
            push: None,
        };
        let Appended::Stored(stored) = self.store.append(&[entry]).await.unwrap().remove(0) else {
            panic!("it was refused");
        };
        let registration = Registration {
            user_id: peer.clone(),
            device_id: phone(name).device_id,
            platform: Platform::Fcm,
            token: name.to_owned(),
            app_id: "org.example.chat".to_owned(),
            environment: None,
            session_id: None,
            at: Timestamp::now(),
        };
        assert!(self.store.register_device(&registration).await.unwrap().is_some());
        Notice {
            conversation_id,
            seq: stored.seq,
            id: stored.id,
            sender_id: ann,
            peer: Some(peer),
            stored_ms: Timestamp::now().as_millis(),
            push: None,
        }
    }

    /// They read everything in their conversation with ann.
    pub async fn read(&self, notice: &Notice) {
        let position = Position {
            conversation_id: notice.conversation_id,
            user_id: notice.peer.clone().expect("it is direct"),
            read_seq: notice.seq,
            delivered_seq: Seq::ZERO,
            seen_seq: Seq::ZERO,
        };
        assert_eq!(self.store.advance(&[position]).await.unwrap().len(), 1);
    }

    /// One job that rings the phones of these.
    pub async fn ring(&self, notices: &[&Notice]) {
        let ring = |notice: &&Notice| Ring {
            notice: Notice::clone(notice),
            to: vec![phone_of(notice)],
            attempts: 0,
            claim: Claim::new(),
        };
        self.put(&Job::Ring(notices.iter().map(ring).collect())).await;
    }

    pub async fn put(&self, job: &Job) {
        self.queue.put(vec![job.to(PushLane::Log, None)]).await.unwrap();
    }

    /// Takes a job as somebody does who dies with it.
    pub async fn take_and_die(&self) {
        let mut consumer = self.queue.consume_push(PushLane::Log, 1).await.unwrap();
        tokio::time::timeout(SOON, consumer.receive(1)).await.expect("there is one").unwrap();
    }

    /// Changes what is known of the one phone of this notice.
    pub async fn on_screen<T: Send>(&self, notice: &Notice, change: impl Fn(&mut Screen) -> T + Send) -> T {
        let keys = [screen_of(notice)];
        let phone = phone_of(notice).device_id;
        let changed = board::change(&self.queue, &keys, move |_, screens| change(screens.of(&phone)));
        changed.await.unwrap().remove(0)
    }

    /// What is known of all phones of this notice, as it is kept.
    pub async fn kept(&self, notice: &Notice) -> String {
        let kept = self.queue.load(&[screen_of(notice)]).await.unwrap().remove(0);
        String::from_utf8(kept.unwrap_or_default().to_vec()).unwrap()
    }

    pub fn decided(&self, decision: PushDecision) -> u64 {
        self.metrics.push.push_decisions_total.get(decision).get()
    }

    /// Jobs that wait or are worked on.
    pub async fn left(&self) -> u64 {
        let depths = self.queue.depths().await.unwrap();
        let of_pushes = depths.iter().filter(|depth| depth.queue.starts_with("push"));
        of_pushes.map(|depth| depth.ready + depth.unacknowledged).sum()
    }

    /// All jobs are done with.
    pub async fn idle(&self) {
        let deadline = Instant::now() + SOON;
        while self.left().await > 0 {
            assert!(Instant::now() < deadline, "jobs are left");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub fn phone(name: &str) -> Phone {
    Phone { user_id: user(name), device_id: DeviceId::parse("phone").unwrap() }
}

pub fn phone_of(notice: &Notice) -> Phone {
    phone(notice.peer.as_ref().expect("it is direct").as_str())
}

fn screen_of(notice: &Notice) -> ScreenKey {
    ScreenKey { user_id: phone_of(notice).user_id, conversation_id: notice.conversation_id }
}

/// Waits until it is so.
pub async fn until(what: &str, so: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !so() {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
