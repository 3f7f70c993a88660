//! From what was counted to the report.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::checker::Verdict;
use crate::generator::{Shared, Window};
use crate::plan::Shard;
use crate::stats::{Point, Sample, Series, Tally};

use super::{Process, Report};

/// What a run hands over.
pub struct Parts<'a> {
    pub shared: &'a Shared,
    pub seed: u64,
    pub shard: Shard,
    pub store_was_read: bool,
    pub verdict: Verdict,
    pub total: &'a Tally,
    pub series: Series,
    pub window: Window,
    pub all_logged_in: Duration,
    pub drained: Option<Duration>,
    /// Before the first connect, with everybody idle, and after the load.
    pub memory: [Vec<Sample>; 3],
    pub own_cpu_s: f64,
}

pub fn build(parts: Parts<'_>) -> Report {
    let Parts { shared, total, window, .. } = parts;
    let mut series = parts.series;
    put_in_order(&mut series);
    let warmup = shared.scenario.warmup.as_secs_f64();
    let seconds = shared.scenario.duration.as_secs_f64();
    // Whole seconds within the window.
    let measured: Vec<&Point> = series
        .iter()
        .filter(|point| point.t - point.span >= warmup - 0.1 && point.t <= warmup + seconds + 0.1)
        .collect();
    let span: f64 = measured.iter().map(|point| point.span).sum::<f64>().max(1e-3);
    let sent: u64 = measured.iter().map(|point| point.sent).sum();
    let delivered: u64 = measured.iter().map(|point| point.delivered).sum();
    let sockets = shared.plan.online_count();
    let processes = processes(&parts.memory, &measured, span, sent, sockets);
    let buckets = BTreeMap::from([
        ("accepted".to_owned(), total.accepted.buckets()),
        ("delivered".to_owned(), total.delivered.buckets()),
        ("complete".to_owned(), total.complete.buckets()),
        ("login".to_owned(), total.login.buckets()),
        ("presence".to_owned(), total.presence.buckets()),
        ("lag".to_owned(), total.lag.buckets()),
    ]);
    Report {
        scenario: shared.scenario.clone(),
        seed: parts.seed,
        shard: format!("{}/{}", parts.shard.index, parts.shard.of),
        began_at: window.from_us / 1_000_000,
        users: shared.plan.users.len(),
        sockets,
        offered_per_s: shared.scenario.rate * shared.plan.share,
        sent_per_s: sent as f64 / span,
        delivered_per_s: delivered as f64 / span,
        accepted: total.accepted.summary(),
        delivered: total.delivered.summary(),
        complete: total.complete.summary(),
        login: total.login.summary(),
        presence: total.presence.summary(),
        lag: total.lag.summary(),
        all_logged_in_s: parts.all_logged_in.as_secs_f64(),
        drained_s: parts.drained.map(|span| span.as_secs_f64()),
        totals: total.totals.clone(),
        verdict: parts.verdict,
        store_was_read: parts.store_was_read,
        processes,
        delivered_quantiles: total.delivered.quantiles(),
        accepted_quantiles: total.accepted.quantiles(),
        buckets,
        series,
    }
}

/// Points before sending got provisional times; they end where sending begins.
fn put_in_order(series: &mut Series) {
    let before = series.iter().filter(|point| point.t < 0.0).count();
    for (index, point) in series.iter_mut().take(before).enumerate() {
        point.t = index as f64 - before as f64;
    }
}

fn processes(
    memory: &[Vec<Sample>; 3],
    measured: &[&Point],
    span: f64,
    sent: u64,
    sockets: u32,
) -> Vec<Process> {
    let [before, idle, after] = memory;
    let rss = |samples: &[Sample], name: &str| {
        samples.iter().find(|sample| sample.name == name).map_or(0, |sample| sample.rss_bytes)
    };
    before
        .iter()
        .map(|sample| {
            let name = &sample.name;
            let cpu: f64 = measured
                .iter()
                .flat_map(|point| {
                    let own = point.processes.iter().filter(|one| one.name == *name);
                    own.map(|one| one.cores * point.span)
                })
                .sum();
            let [rss_before, rss_idle, rss_after] = [before, idle, after].map(|list| rss(list, name));
            let growth = |now: u64| (now as f64 - rss_before as f64) / f64::from(sockets.max(1));
            Process {
                name: name.clone(),
                cores: cpu / span,
                cpu_us_per_message: cpu * 1e6 / sent.max(1) as f64,
                rss_before,
                rss_idle,
                rss_after,
                bytes_per_socket_idle: growth(rss_idle),
                bytes_per_socket_after: growth(rss_after),
            }
        })
        .collect()
}
