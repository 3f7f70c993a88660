//! What is counted while a run goes on, and how it becomes a series.

mod latency;
pub mod process;
mod series;
mod tally;

pub use latency::{Latency, Summary};
pub use series::{Point, Sample, Series};
pub use tally::{Tally, Totals};
