use std::path::PathBuf;

/// Why a provider cannot be set up, or a credential cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the {what} cannot be used: {reason}")]
    Malformed { what: &'static str, reason: String },
    #[error("cannot sign a token")]
    Sign(#[from] jsonwebtoken::errors::Error),
    #[error("cannot build an HTTP client")]
    Client(#[source] reqwest::Error),
    /// The provider's token endpoint did not give an access token.
    #[error("no access token: {reason}")]
    AccessToken { reason: String, after: Option<std::time::Duration> },
}

impl ProviderError {
    pub(in crate::push) fn malformed(what: &'static str, reason: impl ToString) -> Self {
        Self::Malformed { what, reason: reason.to_string() }
    }
}
