//! A thread with a share of the clients, all on one current-thread runtime.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;
use std::sync::{Arc, MutexGuard};
use std::task::Context;
use std::thread;
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;
use tokio::time::{sleep, timeout};

use crate::stats::Tally;

use super::inbound::Desk;
use super::session::{Client, Session};
use super::{Shared, churn, heal, link, lock, outbound, pacer};

/// When messages are sent and which of them are measured; microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    pub from_us: u64,
    pub measured_from_us: u64,
    pub until_us: u64,
}

impl Window {
    /// Whether something scheduled at `at_us` counts.
    pub fn measures(&self, at_us: u64) -> bool {
        (self.measured_from_us..self.until_us).contains(&at_us)
    }
}

/// What the workers are told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connect,
    Send(Window),
    /// Nothing new is sent; holes are filled.
    Drain,
    Stop,
}

pub struct Worker {
    pub shared: Arc<Shared>,
    pub thread: usize,
    pub clients: Vec<RefCell<Client>>,
    /// Place of each user's client, by the user's number; `u32::MAX` for those elsewhere.
    places: Vec<u32>,
    pub connecting: Semaphore,
    phase: watch::Receiver<Phase>,
    window: RefCell<Window>,
    random: RefCell<SmallRng>,
}

/// How long the server may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(3);

/// Starts the thread; it ends after `Phase::Stop`.
pub fn spawn(
    shared: Arc<Shared>,
    thread: usize,
    phase: watch::Receiver<Phase>,
) -> thread::JoinHandle<std::io::Result<()>> {
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let worker = Rc::new(Worker::new(shared, thread, phase));
        LocalSet::new().block_on(&runtime, work(worker));
        Ok(())
    })
}

async fn work(worker: Rc<Worker>) {
    tokio::task::spawn_local(connect_all(Rc::clone(&worker)));
    tokio::task::spawn_local(heal::run(Rc::clone(&worker)));
    let mut phase = worker.phase.clone();
    loop {
        let now = *phase.borrow_and_update();
        match now {
            Phase::Send(window) => {
                *worker.window.borrow_mut() = window;
                tokio::task::spawn_local(pacer::run(Rc::clone(&worker), window));
                tokio::task::spawn_local(churn::run(Rc::clone(&worker), window));
            }
            Phase::Stop => break,
            Phase::Connect | Phase::Drain => {}
        }
        if phase.changed().await.is_err() {
            break;
        }
    }
    say_goodbye(&worker).await;
}

/// Starts every client when it is its turn.
async fn connect_all(worker: Rc<Worker>) {
    let scenario = &worker.shared.scenario;
    let part = worker.clients.len() as f64 / f64::from(worker.shared.plan.online_count().max(1));
    let rate = scenario.connect_rate * worker.shared.plan.share * part;
    let begin = worker.shared.clock.now_us();
    for index in 0..worker.clients.len() {
        let mut due = begin;
        if rate > 0.0 {
            due += (index as f64 / rate * 1e6) as u64;
            let early = due.saturating_sub(worker.shared.clock.now_us());
            if early > 1000 {
                worker.pause(Duration::from_micros(early)).await;
            }
        }
        if worker.is_stopping() {
            return;
        }
        tokio::task::spawn_local(link::run(Rc::clone(&worker), index, due));
    }
}

async fn say_goodbye(worker: &Worker) {
    for client in &worker.clients {
        let session = &mut client.borrow_mut().session;
        outbound::close(&mut session.outbox);
        if let Some(waker) = session.waker.take() {
            waker.wake();
        }
    }
    let all_gone = async {
        while worker.clients.iter().any(|client| client.borrow().stream.is_some()) {
            sleep(Duration::from_millis(50)).await;
        }
    };
    let _ = timeout(GOODBYE, all_gone).await;
}

impl Worker {
    fn new(shared: Arc<Shared>, thread: usize, phase: watch::Receiver<Phase>) -> Self {
        let plan = &shared.plan;
        let slow = shared.scenario.slow.share;
        let mut clients = Vec::new();
        let mut places = vec![u32::MAX; plan.users.len()];
        for (user, place) in places.iter_mut().enumerate() {
            if !plan.online[user] || shared.thread_of(user as u32) != thread {
                continue;
            }
            // Spread evenly: one each time the share of them passes a whole number.
            let is_slow = ((user + 1) as f64 * slow).floor() > (user as f64 * slow).floor();
            *place = clients.len() as u32;
            let client = Client::new(user as u32, shared.users[user], !is_slow);
            clients.push(RefCell::new(client));
        }
        let random = SmallRng::seed_from_u64(plan.seed ^ thread as u64);
        Self {
            connecting: Semaphore::new(shared.scenario.connecting_at_once),
            thread,
            clients,
            places,
            phase,
            window: RefCell::new(Window::default()),
            random: RefCell::new(random),
            shared,
        }
    }

    pub fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub fn is_stopping(&self) -> bool {
        self.phase() == Phase::Stop
    }

    pub fn place_of(&self, user: u32) -> usize {
        self.places[user as usize] as usize
    }

    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        lock(&self.shared.tallies[self.thread])
    }

    pub fn random(&self) -> RefMut<'_, SmallRng> {
        self.random.borrow_mut()
    }

    /// What is needed to take frames. It holds the checker's lock: drop it before an await.
    pub fn desk(&self) -> Desk<'_> {
        Desk {
            shared: &self.shared,
            checker: self.shared.checker(),
            tally: self.tally(),
            now_us: self.shared.clock.now_us(),
            window: *self.window.borrow(),
        }
    }

    /// Sleeps, but not beyond the end of the run.
    pub async fn pause(&self, span: Duration) {
        let mut phase = self.phase.clone();
        tokio::select! {
            () = sleep(span) => {}
            _ = phase.wait_for(|phase| *phase == Phase::Stop) => {}
        }
    }

    /// Keeps the waker of a client's task for those who queue something for it.
    pub fn remember(&self, session: &mut Session, context: &Context<'_>) {
        match &session.waker {
            Some(waker) if waker.will_wake(context.waker()) => {}
            _ => session.waker = Some(context.waker().clone()),
        }
    }
}
