//! TLS: to clients, with a certificate that is replaced while it runs, and to each of the services, with an authority of one's own.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;

use crate::support::client::{Client, SOON};
use crate::support::server::Server;
use crate::support::stack::Stack;
use crate::support::world::World;

/// An authority that the system does not trust, and its certificate for `localhost`.
pub(super) struct Authority {
    folder: TempDir,
    certificate: String,
    key: String,
}

impl Authority {
    pub(super) fn new() -> Self {
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

    pub(super) fn file(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    fn write_to(&self, folder: &Path) {
        std::fs::write(folder.join("tls.crt"), &self.certificate).unwrap();
        std::fs::write(folder.join("tls.key"), &self.key).unwrap();
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
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

    /// Speaks TLS for a service that does not; answers the port. Postgres is asked first whether it does.
    async fn in_front_of(&self, upstream: String, asks_first: bool) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let acceptor = self.acceptor();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (acceptor, upstream) = (acceptor.clone(), upstream.clone());
                tokio::spawn(async move {
                    if asks_first {
                        let mut request = [0; 8];
                        socket.read_exact(&mut request).await.ok()?;
                        socket.write_all(b"S").await.ok()?;
                    }
                    let mut encrypted = acceptor.accept(socket).await.ok()?;
                    let mut plain = TcpStream::connect(upstream).await.ok()?;
                    copy_bidirectional(&mut encrypted, &mut plain).await.ok()
                });
            }
        });
        port
    }
}

/// `host:port` of an address.
fn place(url: &str) -> String {
    let rest = url.split_once("://").unwrap().1;
    let authority = rest.split(['/', '?']).next().unwrap();
    authority.rsplit('@').next().unwrap().to_owned()
}

#[tokio::test]
async fn each_service_and_all_of_them_are_reached_by_tls_with_an_authority_of_one_s_own() {
    let stack = Stack::shared().await;
    let authority = Authority::new();
    let ca = authority.file().to_str().unwrap().to_owned();
    let (rabbitmq, redis) = (stack.rabbitmq.url().to_owned(), stack.redis.url().to_owned());
    let amqp_port = authority.in_front_of(place(&rabbitmq), false).await;
    let redis_port = authority.in_front_of(place(&redis), false).await;
    for (by_amqps, by_rediss, by_tls) in
        [(true, false, false), (false, true, false), (false, false, true), (true, true, true)]
    {
        let database = stack.postgres.database().await;
        let postgres_port = authority.in_front_of(place(&database), true).await;
        let replace = |url: &str, port: u16| url.replace(&place(url), &format!("localhost:{port}"));
        let prefix = format!("t{:08x}", rand::random::<u32>());
        let mut settings = vec![("rabbitmq__prefix", prefix.clone()), ("redis__prefix", prefix)];
        if by_amqps {
            settings.push(("rabbitmq__url", replace(&rabbitmq, amqp_port).replace("amqp://", "amqps://")));
            settings.push(("rabbitmq__ca_file", ca.clone()));
        } else {
            settings.push(("rabbitmq__url", rabbitmq.clone()));
        }
        if by_rediss {
            settings.push(("redis__url", replace(&redis, redis_port).replace("redis://", "rediss://")));
            settings.push(("redis__ca_file", ca.clone()));
        } else {
            settings.push(("redis__url", redis.clone()));
        }
        if by_tls {
            let joint = if database.contains('?') { '&' } else { '?' };
            let url = replace(&database, postgres_port);
            settings.push(("postgres__url", format!("{url}{joint}sslmode=verify-full")));
            settings.push(("postgres__ca_file", ca.clone()));
        } else {
            settings.push(("postgres__url", database.clone()));
        }
        let settings: Vec<(&str, &str)> =
            settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let mut migrating = Server::spawned("migrate", &settings);
        assert!(migrating.ended().await.success(), "{}", migrating.output());
        let (gateway, _worker) =
            tokio::join!(Server::start("gateway", &settings), Server::start("worker", &settings));
        let (mut alice, _) = Client::login(gateway.listen, "alice").await;
        let (mut bob, _) = Client::login(gateway.listen, "bob").await;
        alice.say_to("bob", "encrypted").await;
        bob.message("encrypted").await;
    }
}

#[tokio::test]
async fn clients_speak_tls_and_a_new_certificate_is_shown_without_a_restart() {
    let (old, new) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    old.write_to(folder.path());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let settings =
        [("server__tls_cert_file", &*path("tls.crt")), ("server__tls_key_file", &*path("tls.key"))];
    let world = World::dev(&settings).await;
    let url = format!("https://localhost:{}/v1/me", world.here.port());
    // A client of its own for each try: a connection that is open keeps its certificate.
    let status = async |trusted: &Authority| {
        let pem = std::fs::read(trusted.file()).unwrap();
        let root = reqwest::Certificate::from_pem(&pem).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([root]).build().unwrap();
        let answer = client.get(&url).bearer_auth(crate::support::client::token("alice")).send().await;
        answer.ok().map(|answer| answer.status().as_u16())
    };
    assert_eq!((status(&old).await, status(&new).await), (Some(200), None));
    new.write_to(folder.path());
    let deadline = Instant::now() + SOON;
    while status(&new).await != Some(200) {
        assert!(Instant::now() < deadline, "the new certificate is not shown");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(status(&old).await, None);
}
