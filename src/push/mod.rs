//! Push: making a phone ring for what no device acknowledged.
//!
//! The deciding half knows queues, stores and people: [`stage`] takes [`job`]s, asks what has to be known, and lets [`decide`] judge;
//! [`board`] keeps what phones show; `deliver` looks once more, sends, and does what an answer asks for.
//!
//! The other half turns one decided notification into one request to its provider
//! and reads the answer. It knows nothing of queues, stores or conversations.
//!
//! ```text
//! payload ──► provider::Notification ──► limits ──► apns | fcm | webpush | log ──► provider::Delivery
//! ```
//!
//! * [`payload`] writes what the phone shows: privacy, templates, the server's words, sizes.
//! * [`provider`] is the port: a notification goes in, an [`provider::Outcome`] comes out.
//! * [`providers`] makes the ones that the configuration names.
//! * [`probe`] is a test push with the provider's own words as its answer.
//! * [`limits`] bounds how many and how fast.
//! * [`apns`], [`fcm`], [`webpush`] and [`log`] are the backends.
//! * [`fake`] stands in for all three, with real TLS and real checks.

pub mod apns;
pub mod board;
pub mod decide;
mod deliver;
pub mod fake;
pub mod fcm;
pub mod job;
pub mod limits;
pub mod log;
pub mod payload;
pub mod probe;
pub mod provider;
pub mod providers;
pub mod stage;
pub mod webpush;

#[cfg(test)]
mod tests;
