//! Push: making a phone ring for what no device acknowledged.
//!
//! This half turns one decided notification into one request to its provider
//! and reads the answer. It knows nothing of queues, stores or conversations.
//!
//! ```text
//! payload ──► provider::Notification ──► limits ──► apns | fcm | webpush | log ──► provider::Delivery
//! ```
//!
//! * [`payload`] writes what the phone shows: privacy, templates, the server's words, sizes.
//! * [`provider`] is the port: a notification goes in, an [`provider::Outcome`] comes out.
//! * [`providers`] makes the ones that the configuration names.
//! * [`limits`] bounds how many and how fast.
//! * [`apns`], [`fcm`], [`webpush`] and [`log`] are the backends.
//! * [`fake`] stands in for all three, with real TLS and real checks.

pub mod apns;
pub mod fake;
pub mod fcm;
pub mod limits;
pub mod log;
pub mod payload;
pub mod provider;
pub mod providers;
pub mod webpush;

#[cfg(test)]
mod tests;
