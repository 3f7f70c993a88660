//! Latencies in microseconds, in a histogram with three significant digits.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Latencies above this are counted as this: two minutes.
const HIGHEST_US: u64 = 120_000_000;

#[derive(Clone)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Self {
        let bounds = Histogram::new_with_bounds(1, HIGHEST_US, 3);
        Self(bounds.expect("constant bounds that the histogram takes"))
    }
}

impl Latency {
    pub fn record(&mut self, microseconds: u64) {
        self.0.saturating_record(microseconds.clamp(1, HIGHEST_US));
    }

    pub fn record_many(&mut self, microseconds: u64, count: u64) {
        let microseconds = microseconds.clamp(1, HIGHEST_US);
        self.0.record_n(microseconds, count).expect("the value was clamped to the bounds");
    }

    pub fn add(&mut self, other: &Latency) {
        self.0.add(&other.0).expect("all histograms have the same bounds");
    }

    pub fn clear(&mut self) {
        self.0.reset();
    }

    pub fn summary(&self) -> Summary {
        let ms = |microseconds: u64| microseconds as f64 / 1000.0;
        if self.0.is_empty() {
            return Summary::default();
        }
        Summary {
            count: self.0.len(),
            mean_ms: self.0.mean() / 1000.0,
            min_ms: ms(self.0.min()),
            p50_ms: ms(self.0.value_at_quantile(0.5)),
            p90_ms: ms(self.0.value_at_quantile(0.9)),
            p99_ms: ms(self.0.value_at_quantile(0.99)),
            p999_ms: ms(self.0.value_at_quantile(0.999)),
            max_ms: ms(self.0.max()),
        }
    }

    /// The distribution as (quantile, milliseconds), denser towards the end.
    pub fn quantiles(&self) -> Vec<(f64, f64)> {
        if self.0.is_empty() {
            return Vec::new();
        }
        self.0
            .iter_quantiles(4)
            .map(|step| {
                let ms = step.value_iterated_to() as f64 / 1000.0;
                (step.quantile_iterated_to(), ms)
            })
            .collect()
    }

    /// Filled buckets as (microseconds, count), from which shards can be merged.
    pub fn buckets(&self) -> Vec<(u64, u64)> {
        self.0.iter_recorded().map(|step| (step.value_iterated_to(), step.count_at_value())).collect()
    }
}

/// A histogram in a few numbers; milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Summary {
    pub count: u64,
    pub mean_ms: f64,
    pub min_ms: f64,
    pub p50_ms: f64,
    pub p90_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}
