//! The real binary, as a process of its own.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::time::Instant;

use super::stack::ports;

/// Tests sign their own tokens with it.
pub const SECRET: &str = "a secret of at least thirty-two bytes, for tests";
pub const SERVER_KEY: &str = "server-key-for-tests";

/// A process of Tidings; killed when it is dropped.
pub struct Server {
    child: Child,
    pub listen: SocketAddr,
    pub ops: SocketAddr,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    log: std::path::PathBuf,
}

fn free_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], ports::free()))
}

impl Server {
    /// Starts a role with these settings (`section__key`, value) and waits until it is ready.
    pub async fn start(role: &str, settings: &[(&str, &str)]) -> Self {
        let mut server = Self::spawned(role, settings);
        server.ready().await;
        server
    }

    /// Starts a role without waiting for it.
    pub fn spawned(role: &str, settings: &[(&str, &str)]) -> Self {
        let (listen, ops) = (free_port(), free_port());
        let mut environment = vec![
            ("TIDINGS__AUTH__HS256_SECRET".to_owned(), SECRET.to_owned()),
            ("TIDINGS__AUTH__SERVER_KEYS".to_owned(), SERVER_KEY.to_owned()),
            ("TIDINGS__SERVER__LISTEN".to_owned(), listen.to_string()),
            ("TIDINGS__SERVER__OPS_LISTEN".to_owned(), ops.to_string()),
            ("TIDINGS__DRAIN__READINESS_DELAY".to_owned(), "0s".to_owned()),
            ("TIDINGS__DRAIN__WINDOW".to_owned(), "1s".to_owned()),
            ("TIDINGS__LOG__LEVEL".to_owned(), "info".to_owned()),
        ];
        for (key, value) in settings {
            environment.push((format!("TIDINGS__{}", key.to_uppercase()), (*value).to_owned()));
        }
        let log = std::env::temp_dir().join(format!("tidings-test-{role}-{}.log", listen.port()));
        let arguments = vec![role.to_owned()];
        let child = spawn(&arguments, &environment, &log);
        Self { child, listen, ops, arguments, environment, log }
    }

    /// Waits until the operators' port says that it is ready.
    pub async fn ready(&mut self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let url = format!("http://{}/healthz/ready", self.ops);
        loop {
            if let Ok(answer) = reqwest::get(&url).await
                && answer.status().is_success()
                && (!self.listens() || tokio::net::TcpStream::connect(self.listen).await.is_ok())
            {
                return;
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("{:?} ended with {status}:\n{}", self.arguments, self.output());
            }
            assert!(Instant::now() < deadline, "{:?} is not ready:\n{}", self.arguments, self.output());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn listens(&self) -> bool {
        matches!(self.arguments[0].as_str(), "dev" | "gateway")
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").arg(format!("-{signal}")).arg(self.pid().to_string()).status();
        assert!(status.expect("kill can be run").success());
    }

    /// `kill -9`, at once.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        self.child.wait().expect("a child can be waited for");
    }

    /// Starts it again with the same settings and addresses; does not wait.
    pub fn restart(&mut self) {
        self.child = spawn(&self.arguments, &self.environment, &self.log);
    }

    /// A setting from its next start on.
    pub fn set(&mut self, key: &str, value: &str) {
        let name = format!("TIDINGS__{}", key.to_uppercase());
        self.environment.retain(|(known, _)| *known != name);
        self.environment.push((name, value.to_owned()));
    }

    /// Asks it to stop, and starts it again when it has ended.
    pub async fn replace(&mut self) {
        let status = self.stop().await;
        assert!(status.success(), "{status}:\n{}", self.output());
        self.restart();
        self.ready().await;
    }

    /// Waits until it ends by itself.
    pub async fn ended(&mut self) -> std::process::ExitStatus {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.output());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks it to stop, and waits for its end.
    pub async fn stop(&mut self) -> std::process::ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    pub fn output(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> Result<String, reqwest::Error> {
        reqwest::get(format!("http://{}/metrics", self.ops)).await?.text().await
    }

    /// The value of a metric, those of its series added up that have `label` in their names.
    pub async fn labelled_metric(&self, name: &str, label: &str) -> f64 {
        let text = self.metrics().await.expect("it runs");
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter(|line| line.contains(label))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// The value of a metric, all its series added up; with labels (`name{label="value"`) only those that begin so.
    pub async fn metric(&self, name: &str) -> f64 {
        sum_of(&self.metrics().await.expect("it runs"), name)
    }
}

/// The binary of this release; `TIDINGS_TEST_MIGRATOR` names that of the next one, to be tried on its schema, and
/// `TIDINGS_TEST_PROGRAM` one that was built otherwise, to be measured.
pub fn program(arguments: &[String]) -> std::path::PathBuf {
    let migrator = std::env::var_os("TIDINGS_TEST_MIGRATOR").filter(|_| arguments[0] == "migrate");
    let other = migrator.or_else(|| std::env::var_os("TIDINGS_TEST_PROGRAM"));
    other.unwrap_or_else(|| env!("CARGO_BIN_EXE_tidings").into()).into()
}

/// All series of a metric added up, see [`Server::metric`].
pub fn sum_of(metrics: &str, name: &str) -> f64 {
    let end = if name.contains('{') { [',', '}'] } else { [' ', '{'] };
    metrics
        .lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(end)))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum()
}

fn spawn(arguments: &[String], environment: &[(String, String)], log: &std::path::Path) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(log).expect("a log can be written");
    let errors = log.try_clone().expect("a file can be opened twice");
    Command::new(program(arguments))
        .args(arguments)
        .envs(environment.iter().cloned())
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .expect("the binary can be run")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if !std::thread::panicking() {
            // Kept after a failure, to be read.
            let _ = std::fs::remove_file(&self.log);
        }
    }
}
