//! All results as one markdown table.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::checker::Fault;
use crate::report::{Process, Report};

use super::case::{Kind, Measured};

pub fn markdown(results: &[Measured]) -> String {
    let mut table = machine();
    table.push_str("\n\n| server | case | offered/s | delivered/s | mean ms | p50 | p99 | p99.9 | CPU of each process, cores | all cores | bytes/socket idle | after load | broken |\n|---|---|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|--:|\n");
    for measured in results {
        row(&mut table, measured);
    }
    many(&mut table, results);
    ratios(&mut table, results);
    table
}

/// Rooms and storms have figures of their own.
fn many(table: &mut String, results: &[Measured]) {
    let mut rows = String::new();
    for Measured { server, case, kind, report } in results {
        let figures = match kind {
            Kind::Room => format!(
                "until the last socket has a message: mean {:.0} ms, p99 {:.0} ms",
                report.complete.mean_ms, report.complete.p99_ms
            ),
            Kind::Logins => format!(
                "everybody is in and synchronised after {:.2} s; one login: p50 {:.0} ms, p99 {:.0} ms",
                report.all_logged_in_s, report.login.p50_ms, report.login.p99_ms
            ),
            Kind::Quiet | Kind::Pairs | Kind::Groups | Kind::Devices => continue,
        };
        let _ = writeln!(rows, "| {server} | {case} | {figures} |");
    }
    if !rows.is_empty() {
        let _ = write!(table, "\n| server | case | figures |\n|---|---|---|\n{rows}");
    }
}

fn row(table: &mut String, measured: &Measured) {
    let report = &measured.report;
    let latency = &report.delivered;
    let each: Vec<String> =
        report.processes.iter().map(|one| format!("{} {:.2}", one.name, one.cores)).collect();
    let all: f64 = report.processes.iter().map(|one| one.cores).sum();
    let (idle, after) = per_socket(report);
    let broken: u64 = Fault::ALL.iter().map(|fault| report.verdict.counts.of(*fault)).sum();
    let _ = writeln!(
        table,
        "| {} | {} | {:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} | {} | {all:.2} | {idle:.0} | {after:.0} | {broken} |",
        measured.server,
        measured.case,
        report.offered_per_s,
        report.delivered_per_s,
        latency.mean_ms,
        latency.p50_ms,
        latency.p99_ms,
        latency.p999_ms,
        each.join(", "),
    );
}

/// The same case on the relay is 1.
fn ratios(table: &mut String, results: &[Measured]) {
    let floor: BTreeMap<&str, &Measured> = results
        .iter()
        .filter(|measured| measured.server == "relay")
        .map(|measured| (measured.case.as_str(), measured))
        .collect();
    let others: Vec<&Measured> = results.iter().filter(|one| one.server != "relay").collect();
    if floor.is_empty() || others.is_empty() {
        return;
    }
    table.push_str("\nAgainst the bare relay in the same run (relay = 1):\n\n| server | case | mean | p99 | server's CPU a message |\n|---|---|--:|--:|--:|\n");
    for measured in others {
        let Some(relay) = floor.get(measured.case.as_str()) else {
            continue;
        };
        let (report, relay) = (&measured.report, &relay.report);
        let _ = writeln!(
            table,
            "| {} | {} | {:.1} | {:.1} | {:.1} |",
            measured.server,
            measured.case,
            ratio(report.delivered.mean_ms, relay.delivered.mean_ms),
            ratio(report.delivered.p99_ms, relay.delivered.p99_ms),
            ratio(server_cpu(report), server_cpu(relay)),
        );
    }
}

fn ratio(value: f64, floor: f64) -> f64 {
    value / floor.max(1e-6)
}

fn server_processes(report: &Report) -> impl Iterator<Item = &Process> {
    report.processes.iter().filter(|one| one.name != "generator")
}

fn server_cpu(report: &Report) -> f64 {
    server_processes(report).map(|one| one.cpu_us_per_message).sum()
}

/// Growth of those that hold sockets: the relay, the embedded server, the gateways.
fn per_socket(report: &Report) -> (f64, f64) {
    let holders = || {
        server_processes(report)
            .filter(|one| ["relay", "dev", "gateway"].iter().any(|kind| one.name.starts_with(kind)))
    };
    (
        holders().map(|one| one.bytes_per_socket_idle).sum(),
        holders().map(|one| one.bytes_per_socket_after).sum(),
    )
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kib = memory.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = kib.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<f64>().ok());
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cores} cores ({model}), {:.0} GiB, Linux {}; generator, servers and services on the same machine.",
        kib.unwrap_or(0.0) / 1048576.0,
        kernel.trim()
    )
}
