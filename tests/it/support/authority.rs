//! Certificates that the system does not trust, and TLS in front of services that speak none.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

/// An authority that the system does not trust, and its certificate for `localhost`.
pub struct Authority {
    folder: TempDir,
    certificate: String,
    key: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), authority.pem()).unwrap();
        Self { folder, certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Whom to trust.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    pub fn pem(&self) -> String {
        std::fs::read_to_string(self.file()).unwrap()
    }

    /// Its certificate and key as `tls.crt` and `tls.key`.
    pub fn write_to(&self, folder: &Path) {
        std::fs::write(folder.join("tls.crt"), &self.certificate).unwrap();
        std::fs::write(folder.join("tls.key"), &self.key).unwrap();
    }

    pub fn acceptor(&self) -> TlsAcceptor {
        use rustls_pki_types::pem::PemObject;
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// Speaks TLS for a service that does not.
pub struct Front {
    port: u16,
    shown: Arc<Mutex<Shown>>,
}

/// A certificate, and what ends the connections that were opened with it.
#[derive(Clone)]
struct Shown {
    acceptor: TlsAcceptor,
    cut: CancellationToken,
}

impl Shown {
    fn of(authority: &Authority) -> Self {
        Self { acceptor: authority.acceptor(), cut: CancellationToken::new() }
    }
}

impl Front {
    /// `service` is its URL; Postgres is asked first whether it speaks TLS.
    pub async fn of(service: &str, authority: &Authority) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shown = Arc::new(Mutex::new(Shown::of(authority)));
        let (current, upstream) = (Arc::clone(&shown), place(service));
        let asks_first = service.starts_with("postgres");
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (Shown { acceptor, cut }, upstream) = (current.lock().unwrap().clone(), upstream.clone());
                tokio::spawn(async move {
                    if asks_first {
                        let mut request = [0; 8];
                        socket.read_exact(&mut request).await.ok()?;
                        socket.write_all(b"S").await.ok()?;
                    }
                    let mut encrypted = acceptor.accept(socket).await.ok()?;
                    let mut plain = TcpStream::connect(upstream).await.ok()?;
                    cut.run_until_cancelled(copy_bidirectional(&mut encrypted, &mut plain)).await
                });
            }
        });
        Self { port, shown }
    }

    /// The service starts again with this one's certificate: connections are cut, and who comes back sees it.
    pub fn show(&self, authority: &Authority) {
        let before = std::mem::replace(&mut *self.shown.lock().unwrap(), Shown::of(authority));
        before.cut.cancel();
    }

    /// The URL of the service through this front: encrypted, and verified.
    pub fn url(&self, service: &str) -> String {
        let url = service.replace(&place(service), &format!("localhost:{}", self.port));
        if url.starts_with("postgres") {
            let joint = if url.contains('?') { '&' } else { '?' };
            return format!("{url}{joint}sslmode=verify-full");
        }
        url.replace("amqp://", "amqps://").replace("redis://", "rediss://")
    }
}

/// `host:port` of an address.
fn place(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    let authority = rest.split(['/', '?']).next().unwrap();
    authority.rsplit('@').next().unwrap().to_owned()
}
