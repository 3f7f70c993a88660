//! TLS by rustls with aws-lc-rs, for what we serve and for what we connect to.

mod client;
mod error;

pub use client::client_config;
pub use error::TlsError;

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Named everywhere, because a dependency may bring a second provider along and rustls then
/// refuses to choose.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
