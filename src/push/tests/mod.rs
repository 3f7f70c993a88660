//! Every provider against its fake: every row of the answer table, renewals, reloads.

mod apns;
mod apns_credential;
mod connections;
mod control;
mod fcm;
mod proxy;
mod support;
mod webpush;

pub(in crate::push) use support::Kept;
