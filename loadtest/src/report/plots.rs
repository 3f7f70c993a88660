//! Which plots a report has.

use std::collections::BTreeSet;

use crate::stats::{Point, Summary};

use super::Report;
use super::axis::Scale;
use super::chart::{Chart, Line};

pub fn all(report: &Report) -> Vec<Chart> {
    let mut charts = Vec::new();
    if report.delivered.count > 0 {
        charts.push(latency(report));
        charts.push(throughput(report));
        charts.push(distribution(report));
    }
    charts.push(connections(report));
    charts.extend(processes(report));
    if report.totals.errors_in_all() > 0 {
        charts.push(errors(report));
    }
    charts
}

fn line(name: &str, class: &str, report: &Report, value: impl Fn(&Point) -> f64) -> Line {
    let points = report.series.iter().map(|point| (point.t, value(point))).collect();
    Line { name: name.to_owned(), class: class.to_owned(), points }
}

fn rate(name: &str, class: &str, report: &Report, count: impl Fn(&Point) -> u64) -> Line {
    line(name, class, report, |point| count(point) as f64 / point.span.max(1e-3))
}

fn while_sending(mut chart: Chart, report: &Report) -> Chart {
    let end = report.scenario.warmup.as_secs_f64() + report.scenario.duration.as_secs_f64();
    for line in &mut chart.lines {
        line.points.retain(|(t, _)| *t > 0.5 && *t <= end + 0.1);
    }
    chart
}

fn with_warmup(mut chart: Chart, report: &Report) -> Chart {
    let warmup = report.scenario.warmup.as_secs_f64();
    if warmup > 0.0 && report.sent_per_s > 0.0 {
        chart.bands.push((0.0, warmup, "warm-up"));
    }
    chart
}

fn latency(report: &Report) -> Chart {
    let percentile = |name, class, pick: fn(&Summary) -> f64| {
        line(name, class, report, move |point| pick(&point.delivery))
    };
    let lines = vec![
        percentile("p50", "q0", |summary| summary.p50_ms),
        percentile("p90", "q1", |summary| summary.p90_ms),
        percentile("p99", "q2", |summary| summary.p99_ms),
        percentile("p99.9", "q3", |summary| summary.p999_ms),
    ];
    let caption = "From the time a send was due to its arrival at the recipient, in each second.".into();
    let mut chart = Chart::time("Delivery latency", caption, "ms, log scale", Scale::Log, lines);
    for line in &mut chart.lines {
        line.points.retain(|(_, ms)| *ms > 0.0);
    }
    while_sending(chart, report)
}

fn throughput(report: &Report) -> Chart {
    let lines = vec![
        rate("delivered", "c0", report, |point| point.delivered),
        rate("accepted", "c1", report, |point| point.accepted),
        rate("sent", "c2", report, |point| point.sent),
    ];
    let caption = format!("Messages a second; {:.0} a second were offered.", report.offered_per_s);
    let mut chart = Chart::time("Throughput", caption, "messages/s", Scale::Linear, lines);
    chart.filled = true;
    with_warmup(while_sending(chart, report), report)
}

/// Quantiles by how rare what lies beyond them is, so that the tail has room.
fn distribution(report: &Report) -> Chart {
    let curve = |name: &str, class: &str, quantiles: &[(f64, f64)]| {
        let kept = quantiles.iter().filter(|(quantile, _)| *quantile <= 0.999_99);
        let points = kept.map(|(quantile, ms)| (-(1.0 - quantile).log10(), *ms)).collect();
        Line { name: name.to_owned(), class: class.to_owned(), points }
    };
    let lines = vec![
        curve("delivered", "c0", &report.delivered_quantiles),
        curve("accepted", "c1", &report.accepted_quantiles),
    ];
    let caption = "Share of messages that took at most so long, over the whole measured time.".into();
    let mut chart = Chart::time("Distribution", caption, "ms, log scale", Scale::Log, lines);
    let furthest = chart.lines.iter().flat_map(|line| line.points.iter().map(|point| point.0));
    let furthest = furthest.fold(0.0, f64::max);
    let names =
        [("0", 0.0), ("50 %", 0.5), ("90 %", 0.9), ("99 %", 0.99), ("99.9 %", 0.999), ("99.99 %", 0.9999)];
    let ticks = names.iter().map(|(name, quantile)| (-(1.0f64 - quantile).log10(), (*name).to_owned()));
    chart.x_ticks = Some(ticks.filter(|(at, _)| *at <= furthest).collect());
    chart
}

fn connections(report: &Report) -> Chart {
    let lines = vec![
        line("connected", "c0", report, |point| point.connected as f64),
        rate("logins/s", "c1", report, |point| point.logins),
        rate("lost/s", "c3", report, |point| point.disconnects),
    ];
    let caption = format!(
        "Everybody was logged in after {:.2} s. A login takes {:.1} ms at the median, {:.1} ms at p99.",
        report.all_logged_in_s, report.login.p50_ms, report.login.p99_ms
    );
    with_warmup(Chart::time("Connections", caption, "sockets", Scale::Linear, lines), report)
}

fn processes(report: &Report) -> Vec<Chart> {
    let names: BTreeSet<&str> = report
        .series
        .iter()
        .flat_map(|point| point.processes.iter().map(|sample| sample.name.as_str()))
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let lines = |value: fn(&crate::stats::Sample) -> f64| -> Vec<Line> {
        let each = names.iter().enumerate();
        each.map(|(index, name)| Line {
            name: (*name).to_owned(),
            class: format!("c{}", index % 6),
            points: report
                .series
                .iter()
                .filter_map(|point| {
                    let sample = point.processes.iter().find(|sample| sample.name == *name)?;
                    Some((point.t, value(sample)))
                })
                .collect(),
        })
        .collect()
    };
    let cpu = Chart::time(
        "CPU",
        "Cores in use by each process.".into(),
        "cores",
        Scale::Linear,
        lines(|sample| sample.cores),
    );
    let memory = lines(|sample| sample.rss_bytes as f64 / 1e6);
    let memory =
        Chart::time("Memory", "Resident memory of each process.".into(), "MB", Scale::Linear, memory);
    vec![with_warmup(cpu, report), with_warmup(memory, report)]
}

fn errors(report: &Report) -> Chart {
    let lines = vec![rate("errors/s", "c3", report, |point| point.errors)];
    let each = report.totals.errors.iter().map(|(code, count)| format!("{count} × {code}"));
    let caption = each.collect::<Vec<_>>().join(", ");
    with_warmup(
        Chart::time("Errors", super::chart::escape(&caption), "errors/s", Scale::Linear, lines),
        report,
    )
}
