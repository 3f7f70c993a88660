//! TLS to Postgres: which certificates each `sslmode` takes. The server is a pretended one: it gets as far as the first
//! message that is sent through the encrypted connection.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tidings::store::postgres::{Settings, connect};
use tidings::store::{Store, StoreError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A CA, and a certificate of it for `name`.
struct Authority {
    folder: TempDir,
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl Authority {
    fn certifying(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().unwrap();
        let ca = parameters.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(parameters, ca_key);
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), ca.pem()).unwrap();
        Self {
            folder,
            certificate: certificate.der().clone(),
            key: PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
        }
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Whether a client with these settings talks to a server with this certificate; the name it uses is `localhost`.
    async fn is_trusted(&self, sslmode: &str, ca_file: Option<&Path>) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap();
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.ok()?;
            let mut request = [0; 8];
            socket.read_exact(&mut request).await.ok()?;
            // SSLRequest, answered by "yes".
            assert_eq!(request[4..], 80_877_103_u32.to_be_bytes());
            socket.write_all(b"S").await.ok()?;
            let mut socket = TlsAcceptor::from(Arc::new(config)).accept(socket).await.ok()?;
            socket.read_u8().await.ok()
        });
        let store = connect(&settings(port, sslmode, ca_file)).unwrap();
        store.ping().await.unwrap_err();
        drop(store);
        server.await.unwrap().is_some()
    }
}

fn settings(port: u16, sslmode: &str, ca_file: Option<&Path>) -> Settings {
    Settings {
        url: format!("postgres://someone@localhost:{port}/nothing?hostaddr=127.0.0.1&sslmode={sslmode}"),
        ca_file: ca_file.map(Path::to_owned),
        pool_size: 1,
        worker_connections: 1,
        acquire_timeout: Duration::from_secs(10),
        connect_timeout: Duration::from_secs(10),
        statement_timeout: Duration::from_secs(10),
    }
}

#[tokio::test]
async fn verify_full_wants_a_trusted_certificate_for_the_name() {
    let right = Authority::certifying("localhost");
    let wrong = Authority::certifying("elsewhere.test");
    assert!(right.is_trusted("verify-full", Some(&right.file())).await);
    assert!(!wrong.is_trusted("verify-full", Some(&wrong.file())).await);
    assert!(!right.is_trusted("verify-full", Some(&wrong.file())).await);
    // The system trusts neither.
    assert!(!right.is_trusted("verify-full", None).await);
}

#[tokio::test]
async fn verify_ca_and_require_with_a_ca_want_a_trusted_certificate_for_any_name() {
    let authority = Authority::certifying("elsewhere.test");
    let stranger = Authority::certifying("localhost");
    for mode in ["verify-ca", "require"] {
        assert!(authority.is_trusted(mode, Some(&authority.file())).await);
        assert!(!stranger.is_trusted(mode, Some(&authority.file())).await);
    }
}

#[tokio::test]
async fn require_without_a_ca_encrypts_only() {
    let authority = Authority::certifying("elsewhere.test");
    assert!(authority.is_trusted("require", None).await);
    assert!(authority.is_trusted("prefer", None).await);
}

#[tokio::test]
async fn a_ca_file_without_a_certificate_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    for prepare in [|_: &Path| (), |file: &Path| std::fs::write(file, "nothing").unwrap()] {
        prepare(&file);
        let store = connect(&settings(1, "verify-full", Some(&file)));
        assert!(matches!(store.err(), Some(StoreError::Refused { .. })));
    }
}
