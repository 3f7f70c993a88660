//! TLS by rustls with aws-lc-rs, for what we serve and for what we connect to.

mod client;
mod error;
mod server;

#[cfg(test)]
mod tests;

pub use client::client_config;
pub use error::TlsError;
pub use server::{Reload, ServerConfigSource};

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// PEM files have some kilobytes, a bundle of all authorities of the world about 250: whatever is
/// longer than this is something else.
const MAX_PEM_BYTES: u64 = 1024 * 1024;

/// Named everywhere, because a dependency may bring a second provider along and rustls then
/// refuses to choose.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Reads a PEM file of a bounded size (blocking).
pub(crate) fn read_pem(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    std::fs::File::open(path)?.take(MAX_PEM_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_PEM_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "longer than any PEM file"));
    }
    Ok(text)
}
