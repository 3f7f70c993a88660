//! Whom we trust when we connect.

use std::path::Path;

use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::{TlsError, provider, read_pem};

/// For Redis, RabbitMQ and JWKS: TLS 1.2 or 1.3, no client certificate, the roots of `ca_file`, without one those of the operating
/// system. Whoever names an authority wants no other to vouch for the server.
///
/// Reads files, some milliseconds long: call it at start.
///
/// # Errors
/// When `ca_file` cannot be used, or when there is no root at all.
pub fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig, TlsError> {
    let roots = roots(ca_file)?;
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

pub(super) fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(path) = ca_file {
        add_authorities(&mut roots, path)?;
        return Ok(roots);
    }
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "a root certificate of the operating system cannot be read");
    }
    // Some systems ship roots that rustls does not take; they are left out.
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        return Err(TlsError::NoAuthorities);
    }
    Ok(roots)
}

fn add_authorities(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    let read = |source| TlsError::Read { path: path.to_owned(), source };
    let text = read_pem(path).map_err(read)?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|source| TlsError::NotPem { path: path.to_owned(), source })?;
        roots.add(certificate).map_err(|source| TlsError::BadAuthority { path: path.to_owned(), source })?;
    }
    if roots.len() == before {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(())
}
