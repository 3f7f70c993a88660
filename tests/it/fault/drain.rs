//! A deploy: the gateways are replaced one after the other under load.
//!
//! Small as part of `make test`; `make drain` sets `TIDINGS_DRAIN=long` for 5,000 sockets and 1,000 messages a second.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::support::load::Load;
use crate::support::server::{Server, sum_of};
use crate::support::world::World;

struct Form {
    sockets: u32,
    rate: u32,
    window: Duration,
}

fn form() -> Form {
    if std::env::var("TIDINGS_DRAIN").is_ok_and(|form| form == "long") {
        Form { sockets: 5000, rate: 1000, window: Duration::from_secs(20) }
    } else {
        Form { sockets: 400, rate: 200, window: Duration::from_secs(4) }
    }
}

/// Beyond the window, for those who have to try twice.
const GRACE: Duration = Duration::from_secs(5);
/// Over a second, chance makes some more than the mean; a storm would be all of them.
const PEAK_OVER_MEAN: f64 = 3.0;
const DRAIN_CLOSES: &str = "tidings_connections_closed_total{reason=\"drain\"";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gateways_are_replaced_one_after_the_other_without_a_storm_or_a_loss() {
    let form = form();
    let window = form.window.as_secs_f64();
    let setting = format!("{}s", form.window.as_secs());
    let mut world = World::roles(&[("drain__window", &setting)]).await;
    // Logging in, two windows with a start after each, and some calm at the end.
    let duration = form.window * 2 + Duration::from_secs(30);
    let load = Load { sockets: form.sockets, rate: form.rate, duration };
    let load = tokio::spawn(load.run(&world));
    until_connected(&world, form.sockets).await;

    let mut moved = 0.0;
    for stopping in [0, 1] {
        let survivor = &world.servers[1 - stopping];
        let leaving = world.servers[stopping].metric("tidings_connections").await;
        assert!(leaving > 0.0, "nobody is there to be moved");
        let peak = Watch::peak_of(survivor, "tidings_connections_opened_total");
        let closes = Watch::last_of(&world.servers[stopping], DRAIN_CLOSES);
        let began = Instant::now();
        let status = world.servers[stopping].stop().await;
        let took = began.elapsed();
        assert!(status.success(), "{status}");
        until_connected(&world, form.sockets).await;
        let (peak, closes) = (peak.end().await, closes.end().await);
        let mean = leaving / window;
        println!(
            "drain: {leaving} sockets in {took:.1?}; {closes} closes counted; at the other one at most {peak:.0} \
             connects a second, {mean:.0} in the mean"
        );
        assert!(peak < PEAK_OVER_MEAN * mean, "{peak} connects a second");
        // The last closes may come after the last look at a process that ends.
        assert!(closes > 0.9 * leaving && closes <= leaving, "{closes} of {leaving} closes were counted");
        moved += leaving;
        world.servers[stopping].restart();
        world.servers[stopping].ready().await;
    }

    let report = load.await.expect("the generator does not panic").expect("the run can be made");
    println!(
        "drain: {} accepted, {} stored; closes {:?}; errors {:?}; connect failures {:?}; {} sent again; longest without a \
         socket {} ms; delivered p50 {:.1} p99 {:.1} max {:.0} ms; {:?}",
        report.verdict.accepted,
        report.verdict.stored,
        report.totals.closes,
        report.totals.errors,
        report.totals.failures,
        report.totals.sent_again,
        report.totals.longest_away_ms,
        report.delivered.p50_ms,
        report.delivered.p99_ms,
        report.delivered.max_ms,
        report.verdict.counts,
    );
    assert!(report.is_clean(), "{:?} {:?}", report.verdict.counts, report.verdict.examples);
    assert!(report.store_was_read);
    assert!(report.verdict.accepted as f64 > 0.9 * duration.as_secs_f64() * f64::from(form.rate));
    assert_eq!(report.totals.closes.keys().collect::<Vec<_>>(), [&1012], "{:?}", report.totals.closes);
    assert_eq!(report.totals.closes[&1012] as f64, moved);
    let away = Duration::from_millis(report.totals.longest_away_ms);
    assert!(away < form.window + GRACE, "a client had no socket for {away:?}");
}

/// All gateways that answer, together.
async fn connected(world: &World) -> f64 {
    let mut sum = 0.0;
    for server in &world.servers {
        if let Ok(metrics) = server.metrics().await {
            sum += sum_of(&metrics, "tidings_connections");
        }
    }
    sum
}

async fn until_connected(world: &World, sockets: u32) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let now = connected(world).await;
        if now >= f64::from(sockets) {
            return;
        }
        assert!(Instant::now() < deadline, "{now} of {sockets} are connected");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Looks at a metric of a process again and again, also while that ends.
struct Watch {
    end: tokio::sync::oneshot::Sender<()>,
    task: JoinHandle<f64>,
}

impl Watch {
    /// The greatest rise within a second.
    fn peak_of(server: &Server, metric: &'static str) -> Self {
        let mut before: Option<(Instant, f64)> = None;
        Self::new(server, metric, Duration::from_secs(1), move |peak, value| {
            let now = Instant::now();
            let rate = before.map_or(0.0, |(then, old)| (value - old) / (now - then).as_secs_f64());
            before = Some((now, value));
            peak.max(rate)
        })
    }

    /// What was seen last.
    fn last_of(server: &Server, metric: &'static str) -> Self {
        Self::new(server, metric, Duration::from_millis(20), |_, value| value)
    }

    fn new(
        server: &Server,
        metric: &'static str,
        every: Duration,
        mut take: impl FnMut(f64, f64) -> f64 + Send + 'static,
    ) -> Self {
        let url = format!("http://{}/metrics", server.ops);
        let (end, mut ended) = tokio::sync::oneshot::channel();
        let task = tokio::spawn(async move {
            let mut seen = 0.0;
            let mut ticks = tokio::time::interval(every);
            loop {
                tokio::select! {
                    _ = &mut ended => return seen,
                    _ = ticks.tick() => {}
                }
                // It may have ended: then what was seen before stands.
                if let Ok(answer) = reqwest::get(&url).await
                    && let Ok(metrics) = answer.text().await
                {
                    seen = take(seen, sum_of(&metrics, metric));
                }
            }
        });
        Self { end, task }
    }

    async fn end(self) -> f64 {
        self.end.send(()).expect("it looks until it is told to end");
        self.task.await.expect("it does not panic")
    }
}
