//! What an operator does and sees: the runbooks of docs/operations.md, each step with the real thing.

mod backup;
mod dead_letters;
mod metrics;
mod migrations;
mod partitions;
mod programs;
mod rotation;
