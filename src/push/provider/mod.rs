//! The port to whoever can make a phone ring.
//!
//! A backend turns a [`Notification`] into one request of its provider and the
//! provider's answer into a [`Delivery`]. It never decides whether to push, never
//! waits for a retry and never touches a device record: the caller does, from
//! the [`Outcome`].

mod client;
mod clock;
mod delivery;
mod error;
mod exchange;
mod notification;
mod retry_after;
mod secret;
mod shared;
mod watched;

use std::time::SystemTime;

pub use client::{Connections, HttpSettings, Lease};
pub use clock::{Clock, system_clock};
pub use delivery::{Answer, Delivery, Outcome};
pub use error::ProviderError;
pub(in crate::push) use exchange::{Failure, Reply, exchange};
pub use notification::{
    Alert, Clear, Environment, InterruptionLevel, Kind, Notification, Platform, Priority, Silent, Target,
    notification_id,
};
pub use secret::Secret;
pub(in crate::push) use shared::Seal;
pub use shared::SharedCredentials;
pub use watched::{Source, Watched};

/// One push service.
#[async_trait::async_trait]
pub trait Provider: Send + Sync {
    /// The label of this provider in metrics and traces: `apns`, `fcm`, `webpush` or `log`.
    fn name(&self) -> &'static str;

    /// Hands one notification to the provider and reports what it said.
    ///
    /// Returns within the configured request time-out (at most twice that when a refused
    /// credential was renewed). Never panics on what the provider answers. Cancelling it
    /// leaves unknown whether the provider took the notification; delivering the same one
    /// again is safe, because its id and its collapse id are the same.
    async fn deliver(&self, notification: &Notification) -> Delivery;

    /// When the credential stops working, where it says so: the end of a client certificate.
    /// Signing keys and service accounts carry no date.
    fn credential_expiry(&self) -> Option<SystemTime> {
        None
    }
}
