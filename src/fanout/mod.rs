//! The fan-out: how events find the gateways that hold the sockets they are for.
//!
//! It is a hint, the store is the truth: what it loses, clients ask the store for. The port is six small traits, one a subject;
//! [`Fanout`] is all of them. Backends: `redis` and `embedded`; one suite of contract tests runs on both.

mod acknowledged;
mod devices;
pub mod embedded;
mod error;
mod leases;
mod presence;
pub mod redis;
mod routes;
mod subscription;

pub use acknowledged::{Acknowledged, Acknowledgement};
pub use devices::{DeviceMarks, DeviceNews};
pub use error::FanoutError;
pub use leases::{LeaseGroup, Leases};
pub use presence::PresenceBoard;
pub use routes::{Attention, Routes};
pub use subscription::{Subscription, Subscriptions};

/// Everything that gateways and workers tell each other outside the queue.
#[async_trait::async_trait]
pub trait Fanout:
    Subscriptions + Routes + PresenceBoard + Acknowledged + DeviceNews + Leases + Send + Sync + 'static
{
    /// Whether it answers; for readiness.
    ///
    /// # Errors
    /// [`FanoutError::Unavailable`] when it does not.
    async fn ping(&self) -> Result<(), FanoutError>;
}
