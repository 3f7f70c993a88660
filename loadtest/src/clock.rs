//! One clock for schedules and latencies: microseconds of the Unix epoch, monotonic within a run.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A monotonic clock that was set by the wall clock once, so that times of several processes
/// can be compared as well as their machines' clocks agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    anchor: Instant,
    anchor_us: u64,
}

impl Clock {
    pub fn start() -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { anchor: Instant::now(), anchor_us: wall.as_micros() as u64 }
    }

    /// Microseconds since the Unix epoch.
    pub fn now_us(&self) -> u64 {
        self.anchor_us + self.anchor.elapsed().as_micros() as u64
    }

    /// The instant at which this clock shows `us`; times before the anchor are the anchor.
    pub fn instant(&self, us: u64) -> Instant {
        self.anchor + Duration::from_micros(us.saturating_sub(self.anchor_us))
    }
}
