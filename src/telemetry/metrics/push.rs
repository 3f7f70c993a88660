use prometheus::{Histogram, IntCounter, IntGauge};

use super::{By, By2, LATENCY, Provider, PushDecision, PushResult, family::theme};

/// A push may have waited for an acknowledgement or for its provider.
const DELAY: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

theme! {
    /// What the push stage counts.
    pub struct Push {
        /// What was decided about notifying a user or device.
        push_decisions_total: By<PushDecision, IntCounter>,
        /// Requests to a push provider.
        push_requests_total: By2<Provider, PushResult, IntCounter>,
        /// Time that a push provider takes to answer.
        push_request_seconds: By<Provider, Histogram> = LATENCY,
        /// From storing a message to the answer of the push provider.
        push_delay_seconds: By<Provider, Histogram> = DELAY,
        /// Devices that were disabled because their token is dead.
        push_tokens_invalidated_total: By<Provider, IntCounter>,
        /// When the credential of a push provider expires, in Unix time; 0 when it does not.
        push_credential_expiry_timestamp_seconds: By<Provider, IntGauge>,
    }
}
