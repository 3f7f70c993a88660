//! The certificate that we show, replaced without a restart.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::{TlsError, provider, read_pem};

/// How long a renewed certificate may go unnoticed. The files are small, so they are simply read:
/// that also sees what leaves the time stamp alone, as the symlinks of Kubernetes do.
const POLL_EVERY: Duration = Duration::from_secs(3);

/// A certificate chain and its key from two PEM files: TLS 1.2 and 1.3, ALPN `http/1.1`.
///
/// Sockets that are open keep what they were opened with; handshakes after a change see the new
/// certificate. Files that cannot be used, or do not belong together because only one of them has
/// been replaced yet, leave the old certificate in force.
pub struct ServerConfigSource {
    certificate: PathBuf,
    key: PathBuf,
    current: ArcSwap<ServerConfig>,
    /// What was last seen of the files, good or bad, so that each change is logged once.
    seen: Mutex<Seen>,
}

#[derive(PartialEq, Eq, Clone)]
enum Seen {
    Contents([u8; 32]),
    Unreadable(String),
}

/// What a look at the files came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    Unchanged,
    Replaced,
    /// The files changed into something that cannot be used.
    KeptOld,
}

impl ServerConfigSource {
    /// Reads both files (blocking).
    ///
    /// # Errors
    /// When they cannot be read or used.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = Files::read(certificate, key)?;
        Ok(Self {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            current: ArcSwap::from_pointee(files.config(certificate, key)?),
            seen: Mutex::new(Seen::Contents(files.digest())),
        })
    }

    /// The configuration for handshakes that begin now.
    pub fn config(&self) -> Arc<ServerConfig> {
        self.current.load_full()
    }

    /// An acceptor for handshakes that begin now; cheap, so ask for one per connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.config())
    }

    /// Watches the files until `shutdown`. To be run once, as a task.
    pub async fn run(self: Arc<Self>, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(POLL_EVERY) => {}
            }
            let source = self.clone();
            if let Err(error) = tokio::task::spawn_blocking(move || source.reload()).await {
                tracing::error!(%error, "reading the TLS certificate failed");
            }
        }
    }

    /// Reads the files once and puts them in force when they changed (blocking).
    pub fn reload(&self) -> Reload {
        // Poisoned by a panic, `seen` is at worst old: the files are read once more.
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let files = Files::read(&self.certificate, &self.key);
        let now = match &files {
            Ok(files) => Seen::Contents(files.digest()),
            Err(error) => Seen::Unreadable(error.to_string()),
        };
        if std::mem::replace(&mut *seen, now.clone()) == now {
            return Reload::Unchanged;
        }
        match files.and_then(|files| files.config(&self.certificate, &self.key)) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(certificate = %self.certificate.display(), "TLS certificate replaced");
                Reload::Replaced
            }
            Err(error) => {
                tracing::warn!(%error, "the new TLS certificate cannot be used, the old one stays");
                Reload::KeptOld
            }
        }
    }
}

struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Files {
    fn read(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read =
            |path: &Path| read_pem(path).map_err(|source| TlsError::Read { path: path.to_owned(), source });
        Ok(Self { certificate: read(certificate)?, key: read(key)? })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        // With the length in front: moving bytes between the files is a change.
        digest.update((self.certificate.len() as u64).to_be_bytes());
        digest.update(&self.certificate);
        digest.update(&self.key);
        digest.finalize().into()
    }

    /// The paths are for errors only.
    fn config(&self, certificate: &Path, key: &Path) -> Result<ServerConfig, TlsError> {
        let not_pem = |path: &Path, source| TlsError::NotPem { path: path.to_owned(), source };
        let chain = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| not_pem(certificate, source))?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate { path: certificate.to_owned() });
        }
        let private = PrivateKeyDer::from_pem_slice(&self.key).map_err(|source| match source {
            pem::Error::NoItemsFound => TlsError::NoPrivateKey { path: key.to_owned() },
            source => not_pem(key, source),
        })?;
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, private)?;
        // WebSockets and the HTTP API are HTTP/1.1 here.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
