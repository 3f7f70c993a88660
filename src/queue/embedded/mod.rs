//! The queue of one process: partitions in memory, bounded; a publish resolves when its consumer has acknowledged.
//!
//! So what was published is as durable as what the consumer did before it acknowledged. What has to wait across a restart,
//! dead letters and pushes, is in SQLite.

mod consumer;
mod lane;
