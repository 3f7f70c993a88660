//! The summary at the end of a run, as text.

use std::fmt::{self, Display, Formatter};

use crate::stats::Summary;

use super::Report;

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let totals = &self.totals;
        writeln!(
            out,
            "\n{} ({} sockets, seed {}, shard {})",
            self.scenario.name, self.sockets, self.seed, self.shard
        )?;
        writeln!(
            out,
            "  offered {:.0}/s   sent {:.0}/s   delivered {:.0}/s   logged in within {:.2} s",
            self.offered_per_s, self.sent_per_s, self.delivered_per_s, self.all_logged_in_s
        )?;
        writeln!(
            out,
            "  {:<11}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>12}",
            "ms", "mean", "p50", "p90", "p99", "p99.9", "max", "count"
        )?;
        for (name, summary) in [
            ("delivered", &self.delivered),
            ("accepted", &self.accepted),
            ("complete", &self.complete),
            ("login", &self.login),
            ("presence", &self.presence),
            ("own lag", &self.lag),
        ] {
            if summary.count > 0 {
                row(out, name, summary)?;
            }
        }
        for process in &self.processes {
            writeln!(
                out,
                "  {:<14}{:>6.2} cores  {:>7.1} µs/message   {:>6.1} MB   {:>7.0} bytes/socket idle  {:>7.0} after",
                process.name,
                process.cores,
                process.cpu_us_per_message,
                process.rss_after as f64 / 1e6,
                process.bytes_per_socket_idle,
                process.bytes_per_socket_after,
            )?;
        }
        if self.lag.p99_ms > 5.0 {
            writeln!(
                out,
                "  NOTE: the generator itself was late (p99 {:.1} ms): its machine is full",
                self.lag.p99_ms
            )?;
        }
        for (what, counts) in [("errors", &totals.errors), ("connect failures", &totals.failures)] {
            if !counts.is_empty() {
                writeln!(out, "  {what}: {counts:?}")?;
            }
        }
        if totals.disconnects > 0 {
            writeln!(
                out,
                "  disconnects {}, by the server's code {:?}, longest without a socket {:.1} s, sent again {}, unsent {}",
                totals.disconnects,
                totals.closes,
                totals.longest_away_ms as f64 / 1000.0,
                totals.sent_again,
                totals.unsent
            )?;
        }
        match self.drained_s {
            Some(seconds) => writeln!(
                out,
                "  everybody had everything {seconds:.1} s after the last send (live {}, resumed {}, again {})",
                self.verdict.live, self.verdict.resumed, self.verdict.repeats
            )?,
            None => writeln!(
                out,
                "  NOT everybody had everything in time (live {}, resumed {}, again {})",
                self.verdict.live, self.verdict.resumed, self.verdict.repeats
            )?,
        }
        let store = if self.store_was_read {
            format!("{} entries read again", self.verdict.stored)
        } else {
            "the store was not read".to_owned()
        };
        writeln!(
            out,
            "  checker: {} accepted, {} refused, {} unknown; {store}",
            self.verdict.accepted, self.verdict.refused, self.verdict.unknown
        )?;
        writeln!(out, "  checker: {}", self.verdict.line())?;
        for example in &self.verdict.examples {
            writeln!(out, "    {example}")?;
        }
        Ok(())
    }
}

fn row(out: &mut Formatter<'_>, name: &str, summary: &Summary) -> fmt::Result {
    writeln!(
        out,
        "  {:<11}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>12}",
        name,
        summary.mean_ms,
        summary.p50_ms,
        summary.p90_ms,
        summary.p99_ms,
        summary.p999_ms,
        summary.max_ms,
        summary.count
    )
}
