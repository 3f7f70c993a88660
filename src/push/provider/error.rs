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
    AccessToken {
        reason: String,
        after: Option<std::time::Duration>,
        /// It knows us and says no, or does not know us: not a matter of time.
        refused: bool,
    },
}

impl ProviderError {
    /// Whether the credential is at fault, and not the way to who takes it.
    pub(in crate::push) fn is_of_credential(&self) -> bool {
        !matches!(self, Self::AccessToken { refused: false, .. })
    }

    pub(in crate::push) fn malformed(what: &'static str, reason: impl ToString) -> Self {
        Self::Malformed { what, reason: reason.to_string() }
    }
}
