//! One report from those of several shards that ran together.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::checker::{Counts, Verdict};
use crate::stats::{Latency, Point, Summary};

use super::Report;

/// Reads the report of one shard from its folder.
pub fn read(folder: &Path) -> anyhow::Result<Report> {
    let file = folder.join("report.json");
    let bytes = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("in {}", file.display()))
}

/// Adds the reports up. They must be of one seed.
pub fn merge(reports: Vec<Report>) -> anyhow::Result<Report> {
    let mut reports = reports.into_iter();
    let mut whole = reports.next().context("nothing to merge")?;
    let mut histograms = BTreeMap::new();
    add_buckets(&mut histograms, &whole);
    for report in reports {
        ensure!(report.seed == whole.seed, "shards of different seeds are not one run");
        ensure!(report.shard != whole.shard, "shard {} is there twice", report.shard);
        add_buckets(&mut histograms, &report);
        add(&mut whole, report);
    }
    let summary = |name: &str| histograms.get(name).map(Latency::summary).unwrap_or_default();
    whole.accepted = summary("accepted");
    whole.delivered = summary("delivered");
    whole.complete = summary("complete");
    whole.login = summary("login");
    whole.presence = summary("presence");
    whole.lag = summary("lag");
    whole.delivered_quantiles = histograms["delivered"].quantiles();
    whole.accepted_quantiles = histograms["accepted"].quantiles();
    whole.buckets = histograms.iter().map(|(name, histogram)| (name.clone(), histogram.buckets())).collect();
    Ok(whole)
}

fn add_buckets(histograms: &mut BTreeMap<String, Latency>, report: &Report) {
    for name in ["accepted", "delivered", "complete", "login", "presence", "lag"] {
        let histogram = histograms.entry(name.to_owned()).or_default();
        for (microseconds, count) in report.buckets.get(name).into_iter().flatten() {
            histogram.record_many(*microseconds, *count);
        }
    }
}

fn add(whole: &mut Report, part: Report) {
    whole.shard = format!("{} + {}", whole.shard, part.shard);
    whole.users += part.users;
    whole.sockets += part.sockets;
    whole.offered_per_s += part.offered_per_s;
    whole.sent_per_s += part.sent_per_s;
    whole.delivered_per_s += part.delivered_per_s;
    whole.all_logged_in_s = whole.all_logged_in_s.max(part.all_logged_in_s);
    whole.drained_s = match (whole.drained_s, part.drained_s) {
        (Some(one), Some(other)) => Some(one.max(other)),
        _ => None,
    };
    whole.totals.add(&part.totals);
    whole.store_was_read &= part.store_was_read;
    add_verdict(&mut whole.verdict, part.verdict);
    // Both watched the same server, perhaps; only the generators are different processes.
    let label = format!("generator {}", part.shard);
    for mut process in part.processes {
        if process.name == "generator" {
            process.name = label.clone();
            whole.processes.push(process);
        }
    }
    add_series(&mut whole.series, &part.series);
}

fn add_verdict(whole: &mut Verdict, part: Verdict) {
    let (one, other) = (whole.counts, part.counts);
    whole.counts = Counts {
        lost: one.lost + other.lost,
        duplicate: one.duplicate + other.duplicate,
        gap: one.gap + other.gap,
        divergence: one.divergence + other.divergence,
        reorder: one.reorder + other.reorder,
        phantom: one.phantom + other.phantom,
        leak: one.leak + other.leak,
        stuck: one.stuck + other.stuck,
    };
    whole.accepted += part.accepted;
    whole.refused += part.refused;
    whole.unknown += part.unknown;
    whole.live += part.live;
    whole.resumed += part.resumed;
    whole.repeats += part.repeats;
    whole.stored += part.stored;
    whole.examples.extend(part.examples);
}

/// Seconds are matched by the nearest time; of two latencies the worse one is kept.
fn add_series(whole: &mut [Point], part: &[Point]) {
    for point in part {
        let distance = |other: &&mut Point| ((other.t - point.t).abs() * 1000.0) as u64;
        let Some(mine) = whole.iter_mut().min_by_key(distance) else {
            continue;
        };
        mine.sent += point.sent;
        mine.accepted += point.accepted;
        mine.delivered += point.delivered;
        mine.logins += point.logins;
        mine.disconnects += point.disconnects;
        mine.errors += point.errors;
        mine.connected += point.connected;
        mine.delivery = worse(mine.delivery, point.delivery);
        mine.acceptance = worse(mine.acceptance, point.acceptance);
    }
}

fn worse(one: Summary, other: Summary) -> Summary {
    let count = one.count + other.count;
    let weighted = one.mean_ms * one.count as f64 + other.mean_ms * other.count as f64;
    Summary {
        count,
        mean_ms: weighted / count.max(1) as f64,
        min_ms: one.min_ms.min(other.min_ms),
        p50_ms: one.p50_ms.max(other.p50_ms),
        p90_ms: one.p90_ms.max(other.p90_ms),
        p99_ms: one.p99_ms.max(other.p99_ms),
        p999_ms: one.p999_ms.max(other.p999_ms),
        max_ms: one.max_ms.max(other.max_ms),
    }
}
