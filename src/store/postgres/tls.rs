//! TLS to the database, with the meanings that `sslmode` has everywhere else.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::store::StoreError;

/// What of the server's certificate is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verification {
    /// Nothing: encryption against listeners only (`prefer`, `require` without a CA).
    None,
    /// Its chain (`verify-ca`, `require` with a CA).
    Chain,
    /// Its chain and name (`verify-full`).
    Full,
}

/// Makes connectors that trust the certificates of `ca_file`, without one those of the system.
///
/// # Errors
/// [`StoreError::Refused`] when the file cannot be read or holds no certificate.
pub(super) fn connector(
    verification: Verification,
    ca_file: Option<&Path>,
) -> Result<MakeRustlsConnect, StoreError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let chain = match verification {
        Verification::None => None,
        Verification::Chain | Verification::Full => Some(
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots(ca_file)?), Arc::clone(&provider))
                .build()
                .map_err(|error| unusable("the database's CA certificates", &error))?,
        ),
    };
    let verifier = Verifier { verification, chain, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable("TLS", &error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, StoreError> {
    let mut store = RootCertStore::empty();
    let Some(path) = ca_file else {
        store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(store);
    };
    let name = path.display().to_string();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unusable(&name, &error))? {
        let certificate = certificate.map_err(|error| unusable(&name, &error))?;
        store.add(certificate).map_err(|error| unusable(&name, &error))?;
    }
    if store.is_empty() {
        return Err(StoreError::Refused { message: format!("{name} holds no certificate"), source: None });
    }
    Ok(store)
}

fn unusable(what: &str, error: &dyn std::error::Error) -> StoreError {
    StoreError::Refused { message: format!("{what}: {error}"), source: None }
}

#[derive(Debug)]
struct Verifier {
    verification: Verification,
    /// Set unless nothing is verified.
    chain: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is the last thing that is looked at, so the chain is good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.verification == Verification::Chain => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
