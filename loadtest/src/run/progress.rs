//! What is shown while a run goes on: one living line on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::stats::Point;

pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    ticks: AtomicU64,
}

/// Without a terminal every so many seconds have a line.
const LINE_EVERY: u64 = 5;

impl Progress {
    pub fn new(quiet: bool) -> Self {
        let bar = (std::io::stderr().is_terminal() && !quiet).then(|| {
            let bar = ProgressBar::new_spinner();
            if let Ok(style) = ProgressStyle::with_template("{spinner:.cyan} {elapsed_precise} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, quiet, ticks: AtomicU64::new(0) }
    }

    /// A line that stays.
    pub fn say(&self, line: &str) {
        match &self.bar {
            Some(bar) => bar.println(line),
            None if self.quiet => {}
            None => eprintln!("{line}"),
        }
    }

    /// A line that the next one replaces.
    pub fn now(&self, line: String) {
        if let Some(bar) = &self.bar {
            bar.set_message(line);
        }
    }

    pub fn tick(&self, what: &str, point: &Point) {
        let rate = |count: u64| count as f64 / point.span.max(1e-3);
        let processes: String =
            point.processes.iter().map(|one| format!("  {} {:.0} %", one.name, one.cores * 100.0)).collect();
        let line = format!(
            "{what:<10} {:>6} sockets  sent {:>6.0}/s  delivered {:>7.0}/s  p50 {:>7.2} ms  p99 {:>7.2} ms  errors {}{processes}",
            point.connected,
            rate(point.sent),
            rate(point.delivered),
            point.delivery.p50_ms,
            point.delivery.p99_ms,
            point.errors,
        );
        let tick = self.ticks.fetch_add(1, Ordering::Relaxed);
        match &self.bar {
            Some(bar) => bar.set_message(line),
            None if !self.quiet && tick.is_multiple_of(LINE_EVERY) => eprintln!("{line}"),
            None => {}
        }
    }

    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
