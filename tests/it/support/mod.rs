//! What tests stand on.

pub mod authority;
pub mod client;
pub mod deflating;
pub mod load;
pub mod postgres;
pub mod proxy;
pub mod push;
pub mod server;
#[allow(dead_code, reason = "a tool box: not every fault has a test yet")]
pub mod stack;
pub mod world;

/// Looks again and again until it is so: for what nobody tells of.
pub async fn until(what: &str, check: impl AsyncFn() -> bool) {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    while !check().await {
        assert!(tokio::time::Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
