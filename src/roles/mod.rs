//! The roles: the only place that chooses backends.

mod dev;
mod front;
mod process;

pub use self::dev::dev;
