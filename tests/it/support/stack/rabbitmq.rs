//! RabbitMQ: one node with its own name, cookie and data.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::service::{Faults, Service};
use super::{install, ports, process};

pub struct RabbitMq {
    service: Service,
    node: Option<Node>,
}

/// How the node and its tools are started.
#[derive(Clone)]
struct Node {
    /// The scripts themselves: Debian's wrappers drop the environment.
    scripts: PathBuf,
    folder: PathBuf,
    port: u16,
    tls_port: u16,
    distribution_port: u16,
}

/// Small, since a test process may have several beside it.
const CONFIGURATION: &str = "\
listeners.tcp.default = 127.0.0.1:PORT
listeners.ssl.default = 127.0.0.1:TLS
ssl_options.cacertfile = FOLDER/ca.pem
ssl_options.certfile = FOLDER/server.pem
ssl_options.keyfile = FOLDER/key.pem
# Journals are allocated in full.
raft.wal_max_size_bytes = 33554432
disk_free_limit.absolute = 10MB
log.file.level = warning
";

impl RabbitMq {
    pub(super) async fn shared() -> Self {
        match Service::elsewhere("TIDINGS_TEST_RABBITMQ_URL") {
            Some(service) => Self { service, node: None },
            None => Self::launch(Faults::Forbidden).await,
        }
    }

    pub(super) async fn private() -> Self {
        Self::launch(Faults::Allowed).await
    }

    async fn launch(faults: Faults) -> Self {
        let server = install::find("rabbitmq-server", &["/usr/lib/rabbitmq/bin/rabbitmq-server"]);
        let folder = process::folder("rabbitmq");
        let node = Node {
            scripts: server.parent().map(Path::to_owned).unwrap_or_default(),
            folder: folder.path().to_owned(),
            port: ports::free(),
            tls_port: ports::free(),
            distribution_port: ports::free(),
        };
        let write = |name: &str, text: &str| {
            fs::write(folder.path().join(name), text).expect("our folder is writable");
        };
        let configuration = CONFIGURATION
            .replace("PORT", &node.port.to_string())
            .replace("TLS", &node.tls_port.to_string())
            .replace("FOLDER", &node.folder.to_string_lossy());
        write("rabbit.conf", &configuration);
        let [ca, certificate, key] = certificates();
        write("ca.pem", &ca);
        write("server.pem", &certificate);
        write("key.pem", &key);
        write("plugins", "[].");

        let launched = node.clone();
        let process = process::Process::new("RabbitMQ", folder, move || launched.command("rabbitmq-server"));
        let port = node.port;
        let url = format!("amqp://guest:guest@127.0.0.1:{port}/%2f");
        let service = Service::start(url, process, faults, async || is_ready(port).await).await;
        Self { service, node: Some(node) }
    }

    /// `amqp://guest:guest@127.0.0.1:PORT/%2f`
    pub fn url(&self) -> &str {
        self.service.url()
    }

    /// `amqps://guest:guest@localhost:PORT/%2f`, of a private node.
    pub fn tls_url(&self) -> String {
        format!("amqps://guest:guest@localhost:{}/%2f", self.node().tls_port)
    }

    /// Whom to trust at [`tls_url`](Self::tls_url).
    pub fn ca_file(&self) -> PathBuf {
        self.node().folder.join("ca.pem")
    }

    /// `kill -9` of the node.
    pub fn kill(&self) {
        self.service.mine().kill();
    }

    /// Starts it again after a [`kill`](Self::kill), on its port and data.
    pub async fn start(&self) {
        self.service.mine().start();
        let port = self.node().port;
        self.service.wait(async || is_ready(port).await).await;
    }

    pub async fn restart(&self) {
        self.kill();
        self.start().await;
    }

    /// Undoes what a test that failed left: a service that is killed or stopped.
    pub async fn heal(&self) {
        if self.service.mine().runs() {
            self.cont();
        } else {
            self.start().await;
        }
    }

    /// SIGSTOP: connections stay open and nothing is answered.
    pub fn stop(&self) {
        self.service.mine().stop();
    }

    /// SIGCONT.
    pub fn cont(&self) {
        self.service.mine().cont();
    }

    /// Raises the memory alarm, which blocks connections that publish.
    pub async fn raise_alarm(&self) {
        self.control(&["set_vm_memory_high_watermark", "0.000001"]).await;
    }

    pub async fn clear_alarm(&self) {
        self.control(&["set_vm_memory_high_watermark", "0.4"]).await;
    }

    /// Closes all client connections from the broker's side.
    pub async fn close_connections(&self) {
        self.control(&["close_all_connections", "the test closes it"]).await;
    }

    /// `rabbitmqctl ARGUMENTS` on this private node: its output. Takes some seconds.
    pub async fn control(&self, arguments: &[&str]) -> String {
        self.service.mine();
        let mut command = self.node().command("rabbitmqctl");
        command.args(arguments);
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        let output = output.expect("it does not panic").expect("rabbitmqctl stands beside rabbitmq-server");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "rabbitmqctl {arguments:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    fn node(&self) -> &Node {
        self.node.as_ref().expect("a private service is one of ours")
    }
}

impl Node {
    fn command(&self, script: &str) -> Command {
        let mut command = Command::new(self.scripts.join(script));
        command
            // The cookie is in there.
            .env("HOME", &self.folder)
            .env("RABBITMQ_NODENAME", format!("tidings{}@localhost", self.port))
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_MNESIA_BASE", self.folder.join("data"))
            .env("RABBITMQ_LOG_BASE", self.folder.join("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", self.folder.join("plugins"))
            .env("RABBITMQ_CONFIG_FILE", self.folder.join("rabbit"))
            .env("RABBITMQ_PID_FILE", self.folder.join("pid"))
            // Idle schedulers sleep instead of spinning: tests share the cores.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none")
            .current_dir(&self.folder);
        command
    }
}

/// An authority, and a certificate and key of `localhost`; as PEM.
fn certificates() -> [String; 3] {
    let mut authority = CertificateParams::new(Vec::new()).expect("no names are valid names");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("there is randomness");
    let authority = CertifiedIssuer::self_signed(authority, key).expect("the parameters are valid");
    let key = KeyPair::generate().expect("there is randomness");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("it is a valid name");
    let certificate = params.signed_by(&key, &authority).expect("the parameters are valid");
    [authority.pem(), certificate.pem(), key.serialize_pem()]
}

/// Whether it begins to speak AMQP; before, nothing listens or nothing answers.
async fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)).await else { return false };
    // A method frame, of channel 0.
    let mut answer = [0; 3];
    stream.write_all(b"AMQP\x00\x00\x09\x01").await.is_ok()
        && stream.read_exact(&mut answer).await.is_ok()
        && answer == [1, 0, 0]
}
