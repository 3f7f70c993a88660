//! What an operator does and sees: the runbooks of docs/operations.md, each step with the real thing.

mod backup;
mod dead_letters;
mod metrics;
mod migrations;
mod partitions;
mod programs;
mod rotation;

/// Looks again and again until it is so.
pub async fn until(what: &str, check: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
