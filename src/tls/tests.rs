//! Real handshakes between the two sides of this module.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ProtocolVersion, RootCertStore};
use rustls_pki_types::CertificateDer;
use tempfile::TempDir;
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use super::*;

struct Certificate {
    pem: String,
    key: String,
    der: CertificateDer<'static>,
}

fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (pem, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    Certificate { pem, key, der: made.cert.der().clone() }
}

struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn install(&self, certificate: &Certificate) -> (PathBuf, PathBuf) {
        (self.write("tls.crt", &certificate.pem), self.write("tls.key", &certificate.key))
    }
}

fn trusting(certificates: &[&Certificate]) -> Arc<ClientConfig> {
    let disk = Disk::new();
    let bundle: String = certificates.iter().map(|certificate| certificate.pem.as_str()).collect();
    let mut config = client_config(Some(&disk.write("ca.pem", &bundle))).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

/// What the client learned in a handshake.
struct Shown {
    certificate: CertificateDer<'static>,
    version: ProtocolVersion,
    alpn: Option<Vec<u8>>,
}

async fn handshake(source: &ServerConfigSource, client: &Arc<ClientConfig>) -> Result<Shown, String> {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let accept = source.acceptor().accept(theirs);
    let name = "localhost".try_into().unwrap();
    let connect = TlsConnector::from(client.clone()).connect(name, ours);
    let both = async { tokio::join!(accept, connect) };
    let (_, connected) = tokio::time::timeout(Duration::from_secs(20), both).await.expect("in time");
    let stream = connected.map_err(|error| error.to_string())?;
    let session = stream.get_ref().1;
    Ok(Shown {
        certificate: session.peer_certificates().unwrap()[0].clone().into_owned(),
        version: session.protocol_version().unwrap(),
        alpn: session.alpn_protocol().map(<[u8]>::to_vec),
    })
}

#[tokio::test]
async fn a_handshake_speaks_tls_1_3_and_http_1_1() {
    let (disk, made) = (Disk::new(), certificate());
    let (cert, key) = disk.install(&made);
    let source = ServerConfigSource::load(&cert, &key).unwrap();
    let shown = handshake(&source, &trusting(&[&made])).await.unwrap();
    assert_eq!(shown.certificate, made.der);
    assert_eq!(shown.version, ProtocolVersion::TLSv1_3);
    assert_eq!(shown.alpn.as_deref(), Some(&b"http/1.1"[..]));
}

#[tokio::test]
async fn a_client_with_tls_1_2_is_served() {
    let (disk, made) = (Disk::new(), certificate());
    let (cert, key) = disk.install(&made);
    let source = ServerConfigSource::load(&cert, &key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.der.clone()).unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let shown = handshake(&source, &Arc::new(client)).await.unwrap();
    assert_eq!(shown.version, ProtocolVersion::TLSv1_2);
}

#[tokio::test]
async fn a_client_refuses_a_certificate_of_an_authority_that_it_was_not_given() {
    let (disk, made, other) = (Disk::new(), certificate(), certificate());
    let (cert, key) = disk.install(&made);
    let source = ServerConfigSource::load(&cert, &key).unwrap();
    assert!(handshake(&source, &trusting(&[&other])).await.is_err());
    assert!(handshake(&source, &trusting(&[&other, &made])).await.is_ok());
}

#[tokio::test]
async fn handshakes_after_a_reload_see_the_new_certificate() {
    let (disk, old, new) = (Disk::new(), certificate(), certificate());
    let (cert, key) = disk.install(&old);
    let source = ServerConfigSource::load(&cert, &key).unwrap();
    let client = trusting(&[&old, &new]);
    assert_eq!(source.reload(), Reload::Unchanged);
    disk.install(&new);
    assert_eq!(handshake(&source, &client).await.unwrap().certificate, old.der);
    assert_eq!(source.reload(), Reload::Replaced);
    assert_eq!(handshake(&source, &client).await.unwrap().certificate, new.der);
    assert_eq!(source.reload(), Reload::Unchanged);
}

#[tokio::test]
async fn files_that_cannot_be_used_keep_the_old_certificate() {
    let (disk, old, new) = (Disk::new(), certificate(), certificate());
    let (cert, key) = disk.install(&old);
    let source = ServerConfigSource::load(&cert, &key).unwrap();
    let client = trusting(&[&old, &new]);
    // Each change comes down to one kept certificate and one line in the log.
    let look = || (source.reload(), source.reload());
    let kept = (Reload::KeptOld, Reload::Unchanged);
    disk.write("tls.crt", "nonsense");
    assert_eq!(look(), kept);
    disk.write("tls.crt", &new.pem);
    assert_eq!(look(), kept, "a new certificate with the old key");
    disk.write("tls.key", &new.pem);
    assert_eq!(look(), kept, "a certificate where the key should be");
    std::fs::remove_file(&key).unwrap();
    assert_eq!(look(), kept);
    assert_eq!(handshake(&source, &client).await.unwrap().certificate, old.der);
    disk.write("tls.key", &new.key);
    assert_eq!(look(), (Reload::Replaced, Reload::Unchanged));
    assert_eq!(handshake(&source, &client).await.unwrap().certificate, new.der);
}

#[cfg(unix)]
#[tokio::test]
async fn the_running_watcher_follows_a_folder_that_is_swapped_as_in_kubernetes() {
    let (disk, old, new) = (Disk::new(), certificate(), certificate());
    for (folder, made) in [("v1", &old), ("v2", &new)] {
        std::fs::create_dir(disk.path(folder)).unwrap();
        disk.write(&format!("{folder}/tls.crt"), &made.pem);
        disk.write(&format!("{folder}/tls.key"), &made.key);
    }
    std::os::unix::fs::symlink("v1", disk.path("..data")).unwrap();
    for name in ["tls.crt", "tls.key"] {
        std::os::unix::fs::symlink(format!("..data/{name}"), disk.path(name)).unwrap();
    }
    let source = ServerConfigSource::load(&disk.path("tls.crt"), &disk.path("tls.key")).unwrap();
    let source = Arc::new(source);
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(source.clone().run(shutdown.clone()));
    std::os::unix::fs::symlink("v2", disk.path("..next")).unwrap();
    std::fs::rename(disk.path("..next"), disk.path("..data")).unwrap();
    let client = trusting(&[&old, &new]);
    let swapped = async {
        while handshake(&source, &client).await.unwrap().certificate != new.der {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), swapped).await.expect("in time");
    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(20), task).await.expect("stops in time").unwrap();
}

#[test]
fn a_start_with_files_that_cannot_be_used_says_which() {
    let (disk, made, other) = (Disk::new(), certificate(), certificate());
    let (cert, key) = disk.install(&made);
    let load =
        |cert: &Path, key: &Path| ServerConfigSource::load(cert, key).err().expect("refused").to_string();
    let missing = disk.path("missing.pem");
    assert!(load(&missing, &key).contains("missing.pem"));
    assert!(load(&cert, &missing).contains("missing.pem"));
    assert!(load(&key, &key).contains("holds no certificate"));
    assert!(load(&cert, &cert).contains("holds no private key"));
    let foreign = disk.write("foreign.key", &other.key);
    assert!(load(&cert, &foreign).contains("cannot be used"));
    let damaged = disk.write("damaged.pem", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    assert!(load(&damaged, &key).contains("is not PEM"));
}

#[test]
fn an_authority_file_that_holds_none_is_refused() {
    let disk = Disk::new();
    let refused =
        |text: &str| client_config(Some(&disk.write("ca.pem", text))).expect_err("refused").to_string();
    assert!(refused("").contains("holds no certificate"));
    assert!(refused(&certificate().key).contains("holds no certificate"));
    assert!(client_config(Some(&disk.path("missing.pem"))).is_err());
}

#[test]
fn an_authority_file_takes_the_place_of_the_systems_authorities() {
    let disk = Disk::new();
    let bundle = certificate().pem + &certificate().pem;
    let roots = client::roots(Some(&disk.write("ca.pem", &bundle))).unwrap();
    assert_eq!(roots.len(), 2);
}
