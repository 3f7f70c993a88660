use std::time::Duration;

/// What came of one attempt, and the provider's own words for the trace and the test route.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    pub outcome: Outcome,
    /// `None` when the provider was not reached, or need not be.
    pub answer: Option<Answer>,
    /// It is who we are that was not accepted, or could not be shown: a credential is for the operator to repair.
    pub credential: bool,
}

/// The provider's answer as it came, the body cut at 4 KiB.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// What the caller has to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The provider took it.
    Delivered,
    /// The token is dead: disable the device, never push to it again.
    TokenInvalid { reason: String },
    /// Device and configuration do not belong together: set the device aside and alert, do not delete it.
    Quarantine { reason: String },
    /// Try the same notification again, after `after` or else with exponential backoff, until it expires.
    Retry { after: Option<Duration>, reason: String },
    /// Our fault: no retry will help. Dead-letter and alert.
    Rejected { reason: String },
}

impl Outcome {
    /// The label `result` of `tidings_push_requests_total`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::TokenInvalid { .. } => "token_invalid",
            Self::Quarantine { .. } => "quarantined",
            Self::Retry { .. } => "retry",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// The provider's reason, where something went wrong.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Delivered => None,
            Self::TokenInvalid { reason }
            | Self::Quarantine { reason }
            | Self::Retry { reason, .. }
            | Self::Rejected { reason } => Some(reason),
        }
    }

    pub(in crate::push) fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    pub(in crate::push) fn rejected(reason: impl Into<String>) -> Self {
        Self::Rejected { reason: reason.into() }
    }

    pub(in crate::push) fn token_invalid(reason: impl Into<String>) -> Self {
        Self::TokenInvalid { reason: reason.into() }
    }

    pub(in crate::push) fn quarantine(reason: impl Into<String>) -> Self {
        Self::Quarantine { reason: reason.into() }
    }
}

impl Delivery {
    /// An outcome that no provider was asked for.
    pub(in crate::push) fn unasked(outcome: Outcome) -> Self {
        Self { outcome, answer: None, credential: false }
    }

    /// The same, and the credential is at fault.
    pub(in crate::push) fn of_credential(self) -> Self {
        Self { credential: true, ..self }
    }
}
