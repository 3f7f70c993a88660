//! The page: one file that needs nothing else.

use std::fmt::Write;

use crate::checker::Fault;
use crate::stats::Summary;

use super::Report;
use super::chart::escape;
use super::plots;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

pub fn page(report: &Report) -> String {
    let name = escape(&report.scenario.name);
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{name} · Tidings load test</title><style>{STYLE}</style></head><body><main>"
    );
    head(&mut html, report, &name);
    tiles(&mut html, report);
    html.push_str("<section class=\"plots\">");
    for chart in plots::all(report) {
        html.push_str(&chart.figure());
    }
    html.push_str("</section><section class=\"tables\">");
    latencies(&mut html, report);
    processes(&mut html, report);
    checker(&mut html, report);
    let _ = write!(
        html,
        "</section><details><summary>Scenario</summary><pre>{}</pre></details></main><script>{SCRIPT}</script></body></html>",
        escape(&toml::to_string_pretty(&report.scenario).unwrap_or_default())
    );
    html
}

fn head(html: &mut String, report: &Report, name: &str) {
    let (class, verdict) = match (report.is_clean(), report.store_was_read) {
        (true, true) => ("good", "every promise kept".to_owned()),
        (true, false) => ("good", "nothing missing live; the store was not read".to_owned()),
        (false, _) => ("bad", report.verdict.line()),
    };
    let _ = write!(
        html,
        "<header><p class=\"eyebrow\">Tidings load test</p><h1>{name}</h1><p>{}</p><p class=\"meta\">{} sockets · {} messages/s offered · {} · seed {} · shard {}</p><p class=\"verdict {class}\">{verdict}</p></header>",
        escape(&report.scenario.description),
        grouped(f64::from(report.sockets)),
        grouped(report.offered_per_s),
        humantime::format_duration(report.scenario.duration),
        report.seed,
        report.shard,
    );
}

fn tiles(html: &mut String, report: &Report) {
    let mut tiles: Vec<(&str, String, &str)> = Vec::new();
    if report.delivered.count > 0 {
        tiles.push(("delivered", grouped(report.delivered_per_s), "messages/s"));
        tiles.push(("mean", ms(report.delivered.mean_ms), "ms"));
        tiles.push(("median", ms(report.delivered.p50_ms), "ms"));
        tiles.push(("p99", ms(report.delivered.p99_ms), "ms"));
        tiles.push(("p99.9", ms(report.delivered.p999_ms), "ms"));
    }
    if report.complete.count > 0 {
        tiles.push(("last member", ms(report.complete.p50_ms), "ms, median"));
    }
    tiles.push(("all logged in", format!("{:.2}", report.all_logged_in_s), "s"));
    let broken: u64 = Fault::ALL.iter().map(|fault| report.verdict.counts.of(*fault)).sum();
    tiles.push(("broken promises", grouped(broken as f64), ""));
    html.push_str("<section class=\"tiles\">");
    for (name, value, unit) in tiles {
        let _ = write!(html, "<div><span>{name}</span><b>{value}</b><small>{unit}</small></div>");
    }
    html.push_str("</section>");
}

fn latencies(html: &mut String, report: &Report) {
    html.push_str("<div class=\"card\"><h2>Latencies, ms</h2><table><thead><tr><th></th><th>mean</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>max</th><th>count</th></tr></thead><tbody>");
    for (name, summary) in [
        ("delivered", &report.delivered),
        ("accepted", &report.accepted),
        ("last member", &report.complete),
        ("login", &report.login),
        ("presence", &report.presence),
        ("generator's own delay", &report.lag),
    ] {
        if summary.count > 0 {
            row(html, name, summary);
        }
    }
    html.push_str("</tbody></table></div>");
}

fn row(html: &mut String, name: &str, summary: &Summary) {
    let _ = write!(html, "<tr><th>{name}</th>");
    for value in
        [summary.mean_ms, summary.p50_ms, summary.p90_ms, summary.p99_ms, summary.p999_ms, summary.max_ms]
    {
        let _ = write!(html, "<td>{}</td>", ms(value));
    }
    let _ = write!(html, "<td>{}</td></tr>", grouped(summary.count as f64));
}

fn processes(html: &mut String, report: &Report) {
    html.push_str("<div class=\"card\"><h2>Processes</h2><table><thead><tr><th></th><th>cores</th><th>CPU µs a message</th><th>MB</th><th>bytes a socket, idle</th><th>after</th></tr></thead><tbody>");
    for process in &report.processes {
        let _ = write!(
            html,
            "<tr><th>{}</th><td>{:.2}</td><td>{:.1}</td><td>{:.0}</td><td>{}</td><td>{}</td></tr>",
            escape(&process.name),
            process.cores,
            process.cpu_us_per_message,
            process.rss_after as f64 / 1e6,
            grouped(process.bytes_per_socket_idle),
            grouped(process.bytes_per_socket_after),
        );
    }
    html.push_str("</tbody></table></div>");
}

fn checker(html: &mut String, report: &Report) {
    let verdict = &report.verdict;
    html.push_str("<div class=\"card narrow\"><h2>Promises broken</h2><table><tbody>");
    for fault in Fault::ALL {
        let count = verdict.counts.of(fault);
        let class = if count == 0 { "" } else { " class=\"bad\"" };
        let _ = write!(html, "<tr{class}><th>{}</th><td>{}</td></tr>", fault.name(), grouped(count as f64));
    }
    html.push_str(
        "</tbody></table></div><div class=\"card narrow\"><h2>What the checker saw</h2><table><tbody>",
    );
    let drained = report
        .drained_s
        .map_or("not in time".to_owned(), |seconds| format!("{seconds:.1} s after the last send"));
    for (name, value) in [
        ("accepted", grouped(verdict.accepted as f64)),
        (
            "refused, unknown",
            format!("{}, {}", grouped(verdict.refused as f64), grouped(verdict.unknown as f64)),
        ),
        (
            "live, by resuming",
            format!("{}, {}", grouped(verdict.live as f64), grouped(verdict.resumed as f64)),
        ),
        (
            "read again from the store",
            if report.store_was_read { grouped(verdict.stored as f64) } else { "no".into() },
        ),
        ("everybody had everything", drained),
    ] {
        let _ = write!(html, "<tr><th>{name}</th><td>{value}</td></tr>");
    }
    html.push_str("</tbody></table></div>");
    if !verdict.examples.is_empty() {
        let _ = write!(html, "<pre class=\"bad\">{}</pre>", escape(&verdict.examples.join("\n")));
    }
}

/// Two digits after the point below 10, fewer above.
fn ms(value: f64) -> String {
    match value {
        small if small < 10.0 => format!("{small:.2}"),
        middle if middle < 100.0 => format!("{middle:.1}"),
        large => grouped(large),
    }
}

/// A whole number with narrow spaces between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    if value <= -0.5 { format!("−{text}") } else { text }
}
