//! One run from the scenario to the verdict.

mod options;
mod progress;
mod setup;
mod verify;

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::clock::Clock;
use crate::generator::{Phase, Shared, Target, Window, lock, spawn};
use crate::plan::Plan;
use crate::report::{self, Report};
use crate::scenario::Scenario;
use crate::stats::process::{Sampler, Watched, named, usage};
use crate::stats::{Point, Series, Tally};
use crate::token::Minter;

pub use options::Options;
use progress::Progress;

/// Logins slower than this over all are a failed run.
const LOGIN_DEADLINE: Duration = Duration::from_secs(180);
/// When nobody at all could log in by then, nobody will.
const FIRST_LOGIN_DEADLINE: Duration = Duration::from_secs(20);
/// Sending begins this long after everybody is there.
const BREATH: Duration = Duration::from_millis(500);

/// Runs the scenario. The report says whether a promise was broken.
pub async fn run(options: &Options) -> anyhow::Result<Report> {
    let mut scenario = Scenario::read(&options.scenario)?;
    options.apply(&mut scenario);
    scenario.validate()?;
    let files = rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the file limit")?;
    let plan = Plan::new(&scenario, options.seed(), options.shard);
    if u64::from(plan.online_count()) + 200 > files {
        bail!("{} sockets do not fit into a limit of {files} files: use more shards", plan.online_count());
    }
    let clock = Clock::start();
    let target = Target::resolve(&options.url, options.source.clone(), options.ca_file.as_deref());
    let target = target.await?;
    let secret = options.hs256_secret.clone().unwrap_or_default();
    let minter = Minter::new(secret.as_bytes(), 7 * 24 * 3600);
    let now_s = clock.now_us() / 1_000_000;
    let tokens = plan.users.iter().map(|user| minter.mint(user, now_s)).collect();
    let shared = Shared::new(scenario, plan, target, clock, options.threads, tokens);
    let run = Run::new(shared, options)?;
    run.progress.say(&format!(
        "{}: {} sockets, {} messages/s for {}, seed {}",
        run.shared.scenario.name,
        run.shared.plan.online_count(),
        run.shared.scenario.rate,
        humantime::format_duration(run.shared.scenario.duration),
        options.seed(),
    ));
    setup::prepare(&run.shared, options, &run.progress).await?;
    run.whole(options).await
}

struct Run {
    shared: Arc<Shared>,
    phase: watch::Sender<Phase>,
    workers: Vec<JoinHandle<std::io::Result<()>>>,
    sampler: Sampler,
    progress: Progress,
    total: Tally,
    series: Series,
    ticked: Instant,
    begin_us: u64,
    own_cpu: f64,
}

impl Run {
    fn new(shared: Arc<Shared>, options: &Options) -> anyhow::Result<Self> {
        let mut watched = options.pid.clone();
        for name in &options.pids_of {
            watched.extend(named(name));
        }
        watched.push(own_process());
        let (phase, _) = watch::channel(Phase::Connect);
        Ok(Self {
            progress: Progress::new(options.quiet),
            phase,
            workers: Vec::new(),
            sampler: Sampler::new(watched),
            total: Tally::default(),
            series: Series::new(),
            ticked: Instant::now(),
            begin_us: 0,
            own_cpu: 0.0,
            shared,
        })
    }

    async fn whole(mut self, options: &Options) -> anyhow::Result<Report> {
        let before = self.sampler.sample();
        let storm_began = Instant::now();
        for thread in 0..self.shared.threads {
            let shared = Arc::clone(&self.shared);
            self.workers.push(spawn(shared, thread, self.phase.subscribe()));
        }
        self.begin_us = self.shared.clock.now_us();
        self.connect().await?;
        let all_logged_in = storm_began.elapsed();
        self.quiet(Duration::from_secs(1)).await;
        let idle = self.sampler.sample();
        let window = self.window(options);
        self.begin_us = window.from_us;
        self.phase.send_replace(Phase::Send(window));
        let cpu_before = own_cpu();
        self.wait_until(window.until_us).await;
        self.own_cpu = own_cpu() - cpu_before;
        self.phase.send_replace(Phase::Drain);
        let drained = self.drain().await;
        let after = self.sampler.sample();
        self.phase.send_replace(Phase::Stop);
        let workers = std::mem::take(&mut self.workers);
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                match worker.join() {
                    Ok(result) => result?,
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            std::io::Result::Ok(())
        });
        joined.await??;
        self.collect();
        if options.reads_store() {
            verify::read_everything(&self.shared, options, &self.progress).await?;
        }
        self.progress.finish();
        let checker = std::mem::replace(
            &mut *self.shared.checker(),
            crate::checker::Checker::new(self.shared.plan.tag),
        );
        Ok(report::build(report::Parts {
            shared: &self.shared,
            seed: options.seed(),
            shard: options.shard,
            store_was_read: options.reads_store(),
            verdict: checker.finish(),
            total: &self.total,
            series: self.series,
            window,
            all_logged_in,
            drained,
            memory: [before, idle, after],
            own_cpu_s: self.own_cpu,
        }))
    }

    async fn connect(&mut self) -> anyhow::Result<()> {
        let wanted = self.shared.plan.online_count() as usize;
        let begin = Instant::now();
        loop {
            sleep(Duration::from_millis(10)).await;
            let connected = self.connected();
            self.tick_if_due("connecting");
            if connected >= wanted {
                return Ok(());
            }
            let hopeless = connected == 0 && begin.elapsed() > FIRST_LOGIN_DEADLINE;
            if hopeless
                || begin.elapsed() > LOGIN_DEADLINE
                || self.workers.iter().any(JoinHandle::is_finished)
            {
                self.collect();
                let failures = &self.total.totals.failures;
                bail!("only {connected} of {wanted} could log in; failures: {failures:?}");
            }
        }
    }

    /// The times of sending; `--start-at` makes them the same for all shards.
    fn window(&self, options: &Options) -> Window {
        let scenario = &self.shared.scenario;
        let soon = self.shared.clock.now_us() + BREATH.as_micros() as u64;
        let from_us = options.start_at.map_or(soon, |second| (second * 1_000_000).max(soon));
        let measured_from_us = from_us + scenario.warmup.as_micros() as u64;
        Window {
            from_us,
            measured_from_us,
            until_us: measured_from_us + scenario.duration.as_micros() as u64,
        }
    }

    async fn wait_until(&mut self, until_us: u64) {
        while self.shared.clock.now_us() < until_us {
            sleep(Duration::from_millis(20)).await;
            self.tick_if_due("sending");
        }
    }

    async fn quiet(&mut self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end {
            sleep(Duration::from_millis(20)).await;
            self.tick_if_due("idle");
        }
    }

    /// Waits until every send has its answer, every accepted one was seen, and every reader has everything. The time it took, or
    /// `None` when the deadline passed before.
    async fn drain(&mut self) -> Option<Duration> {
        let begin = Instant::now();
        while begin.elapsed() < self.shared.scenario.drain {
            sleep(Duration::from_millis(100)).await;
            self.tick_if_due("draining");
            let checker = self.shared.checker();
            let online = self.shared.plan.online.iter().zip(&self.shared.readers);
            let complete = online
                .filter(|(online, _)| **online)
                .all(|(_, readers)| readers.iter().all(|reader| checker.is_complete(*reader)));
            if complete && checker.unanswered() == 0 && checker.unseen() == 0 {
                return Some(begin.elapsed());
            }
        }
        None
    }

    fn connected(&self) -> usize {
        self.shared.connected.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn tick_if_due(&mut self, what: &str) {
        if self.ticked.elapsed() < Duration::from_secs(1) {
            return;
        }
        let span = self.ticked.elapsed().as_secs_f64();
        self.ticked = Instant::now();
        let tally = self.collect();
        let now = self.shared.clock.now_us() as f64;
        let t = (now - self.begin_us as f64) / 1e6;
        let connected = self.connected() as u64;
        let mut point = Point::new(t, span, &tally, connected, self.sampler.sample());
        if what == "connecting" || what == "idle" {
            point.t = -(self.series.len() as f64) - 1.0; // put in order once the beginning is known
        }
        self.progress.tick(what, &point);
        self.series.push(point);
    }

    /// Takes what the threads counted since the last time.
    fn collect(&mut self) -> Tally {
        let mut taken = Tally::default();
        for tally in &self.shared.tallies {
            let mut tally = lock(tally);
            taken.add(&tally);
            tally.clear();
        }
        self.total.add(&taken);
        taken
    }
}

fn own_process() -> Watched {
    Watched { name: "generator".into(), pid: std::process::id(), tree: false }
}

fn own_cpu() -> f64 {
    usage(&own_process()).map_or(0.0, |(cpu, _)| cpu)
}
