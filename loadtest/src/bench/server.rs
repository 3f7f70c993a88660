//! What is measured: started on free ports, stopped by its own handles.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use tokio::process::{Child, Command};
use tokio::time::sleep;
use uuid::Uuid;

use super::Options;

pub struct Server {
    pub name: &'static str,
    pub urls: Vec<String>,
    pub secret: String,
    pub stores: bool,
    children: Vec<(String, Child)>,
    /// Others to watch, as `--pid` writes them.
    services: Vec<String>,
    data: Option<PathBuf>,
}

/// Where the services of the roles are; passed on by the environment as it is.
pub struct Services;

const NEEDED: [&str; 3] = ["TIDINGS__POSTGRES__URL", "TIDINGS__RABBITMQ__URL", "TIDINGS__REDIS__URL"];
/// A server that is not ready by then does not start.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long a server may take to stop before it is killed.
const STOP_WITHIN: Duration = Duration::from_secs(20);

impl Services {
    pub fn from_environment() -> Option<Self> {
        NEEDED.iter().all(|name| std::env::var_os(name).is_some()).then_some(Self)
    }
}

impl Server {
    pub async fn relay() -> anyhow::Result<Self> {
        let port = free_port()?;
        let mut server = Self::new("relay", false);
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["relay", "--listen", &format!("127.0.0.1:{port}")]).stdout(Stdio::null());
        server.start("relay", command)?;
        server.urls.push(format!("ws://127.0.0.1:{port}/v1/ws"));
        reachable(port).await?;
        Ok(server)
    }

    pub async fn embedded(options: &Options) -> anyhow::Result<Self> {
        let mut server = Self::new("dev", true);
        let data = std::env::temp_dir().join(format!("tidings-bench-{}", Uuid::new_v4().simple()));
        let (port, ops) = (free_port()?, free_port()?);
        let mut command = server.role(options, "dev", port, ops)?;
        command.arg("--data-dir").arg(&data);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--ops-listen", &format!("127.0.0.1:{ops}")]);
        server.data = Some(data);
        server.start("dev", command)?;
        server.urls.push(format!("ws://127.0.0.1:{port}/v1/ws"));
        ready(ops).await?;
        Ok(server)
    }

    pub async fn roles(options: &Options, _services: &Services) -> anyhow::Result<Self> {
        let mut server = Self::new("roles", true);
        let migrated = server.role(options, "migrate", free_port()?, free_port()?)?.status().await?;
        if !migrated.success() {
            bail!("`tidings migrate` failed: {migrated}");
        }
        let push = u32::from(options.cases.contains(&super::Kind::Devices));
        for (role, count) in [("worker", options.workers), ("push", push), ("gateway", options.gateways)] {
            for number in 1..=count {
                let (port, ops) = (free_port()?, free_port()?);
                let command = server.role(options, role, port, ops)?;
                let name = if count == 1 { role.to_owned() } else { format!("{role} {number}") };
                server.start(&name, command)?;
                ready(ops).await.with_context(|| format!("{name} did not start"))?;
                if role == "gateway" {
                    server.urls.push(format!("ws://127.0.0.1:{port}/v1/ws"));
                }
            }
        }
        if let Some(stack) = &options.stack {
            let files =
                [("postgres", "pg/data/postmaster.pid"), ("redis", "redis/pid"), ("rabbitmq", "rmq/pid")];
            for (name, file) in files {
                let pid = first_number(&stack.join(file)).with_context(|| format!("no process of {name}"))?;
                server.services.push(format!("{name}={pid}+"));
            }
        }
        Ok(server)
    }

    /// `name=PID` of everything that is measured.
    pub fn watched(&self) -> Vec<String> {
        let own = self.children.iter();
        let own = own.filter_map(|(name, child)| Some(format!("{name}={}", child.id()?)));
        own.chain(self.services.iter().cloned()).collect()
    }

    /// Asks every process to stop, and kills what does not.
    pub async fn stop(mut self) {
        for (name, child) in &mut self.children {
            if let Some(pid) = child.id() {
                let _ = Command::new("kill").arg(pid.to_string()).status().await;
            }
            if tokio::time::timeout(STOP_WITHIN, child.wait()).await.is_err() {
                eprintln!("{name} did not stop in time and is killed");
                let _ = child.kill().await;
            }
        }
        if let Some(data) = &self.data {
            let _ = std::fs::remove_dir_all(data);
        }
    }

    fn new(name: &'static str, stores: bool) -> Self {
        Self {
            name,
            urls: Vec::new(),
            secret: Uuid::new_v4().simple().to_string(),
            stores,
            children: Vec::new(),
            services: Vec::new(),
            data: None,
        }
    }

    fn role(&self, options: &Options, role: &str, port: u16, ops: u16) -> anyhow::Result<Command> {
        let log = options.out.join(format!("{}-{role}-{ops}.log", self.name));
        let log = std::fs::File::create(log).context("cannot write a log")?;
        let mut command = Command::new(&options.tidings);
        command
            .arg(role)
            .env("TIDINGS__AUTH__HS256_SECRET", &self.secret)
            .env("TIDINGS__SERVER__LISTEN", format!("127.0.0.1:{port}"))
            .env("TIDINGS__SERVER__OPS_LISTEN", format!("127.0.0.1:{ops}"))
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(command)
    }

    fn start(&mut self, name: &str, mut command: Command) -> anyhow::Result<()> {
        let child = command.kill_on_drop(true).spawn().with_context(|| format!("cannot start {name}"))?;
        self.children.push((name.to_owned(), child));
        Ok(())
    }
}

/// A port that was free a moment ago, below those that the system lends to connecting sockets.
fn free_port() -> anyhow::Result<u16> {
    for _ in 0..100 {
        let port = rand::random_range(10_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port")
}

async fn reachable(port: u16) -> anyhow::Result<()> {
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Ok(());
        }
        sleep(Duration::from_millis(50)).await;
    }
    bail!("nothing listens on port {port}")
}

async fn ready(ops: u16) -> anyhow::Result<()> {
    let url = format!("http://127.0.0.1:{ops}/healthz/ready");
    let deadline = Instant::now() + READY_WITHIN;
    while Instant::now() < deadline {
        if reqwest::get(&url).await.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        sleep(Duration::from_millis(100)).await;
    }
    bail!("{url} did not say ready")
}

fn first_number(file: &Path) -> anyhow::Result<u32> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    text.split_whitespace().next().unwrap_or_default().parse().context("not a process id")
}
