//! Ports for services.

use std::net::TcpListener;

/// A port of 127.0.0.1 that is free now: below those that the system gives to outgoing connections, so that none of them takes
/// it while its service is down, and low enough for the ports that RabbitMQ derives from it.
pub(super) fn free() -> u16 {
    loop {
        let port = rand::random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
