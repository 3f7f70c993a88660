//! The roles: the only place that chooses backends.

mod dead_letters;
mod dev;
mod fake_push;
mod front;
mod gateway;
mod migrate;
mod process;
mod push;
mod services;
mod worker;

pub use self::dead_letters::dead_letters;
pub use self::dev::dev;
pub use self::fake_push::fake_push;
pub use self::gateway::gateway;
pub use self::migrate::migrate;
pub use self::push::push;
pub use self::worker::worker;
