use std::sync::Arc;
use std::time::SystemTime;

/// What time it is. A parameter, because tokens, expiries and `Retry-After` depend on it.
pub type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// The clock of this machine.
pub fn system_clock() -> Clock {
    Arc::new(SystemTime::now)
}
