//! Ports for services.

use std::collections::HashSet;
use std::net::TcpListener;
use std::sync::{LazyLock, Mutex, PoisonError};

static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);

/// A port of 127.0.0.1 that is free now: below those that the system gives to outgoing connections, so that none of them takes
/// it while its service is down, and low enough for the ports that RabbitMQ derives from it.
/// None is given twice: who gets one takes it some time later.
pub fn free() -> u16 {
    loop {
        let port = rand::random_range(20_000..32_000);
        let is_new = GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        if is_new && TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
