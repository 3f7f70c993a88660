//! Redis, without persistence: killed and started again it is empty.

use std::process::Command;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::service::{Faults, Service};
use super::{install, ports, process};

pub struct Redis {
    service: Service,
    /// Where it listens, when it is ours.
    port: Option<u16>,
}

impl Redis {
    pub(super) async fn shared() -> Self {
        match Service::elsewhere("TIDINGS_TEST_REDIS_URL") {
            Some(service) => Self { service, port: None },
            None => Self::launch(Faults::Forbidden).await,
        }
    }

    pub(super) async fn private() -> Self {
        Self::launch(Faults::Allowed).await
    }

    async fn launch(faults: Faults) -> Self {
        let server = install::find("redis-server", &["/usr/bin/redis-server", "/usr/local/bin/redis-server"]);
        let folder = process::folder("redis");
        let (port, path) = (ports::free(), folder.path().to_owned());
        let process = process::Process::new("Redis", folder, move || {
            let mut command = Command::new(&server);
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string()]);
            command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(&path);
            command
        });
        let url = format!("redis://127.0.0.1:{port}");
        let service = Service::start(url, process, faults, async || is_ready(port).await).await;
        Self { service, port: Some(port) }
    }

    /// `redis://127.0.0.1:PORT`
    pub fn url(&self) -> &str {
        self.service.url()
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.service.mine().kill();
    }

    /// Starts it again after a [`kill`](Self::kill), on its port, empty.
    pub async fn start(&self) {
        self.service.mine().start();
        let port = self.port.expect("a private service is one of ours");
        self.service.wait(async || is_ready(port).await).await;
    }

    pub async fn restart(&self) {
        self.kill();
        self.start().await;
    }

    /// SIGSTOP: connections stay open and nothing is answered.
    pub fn stop(&self) {
        self.service.mine().stop();
    }

    /// SIGCONT.
    pub fn cont(&self) {
        self.service.mine().cont();
    }

    /// Refuses the command HSET, also to scripts, or allows it again; everything else works on.
    pub async fn refuse_hset(&self, refuse: bool) {
        let port = self.port.expect("a private service is one of ours");
        let rule = if refuse { "-" } else { "+" };
        let answer = ask::<3>(port, &format!("ACL SETUSER default {rule}hset\r\n")).await;
        assert_eq!(answer.as_ref(), Some(b"+OK"));
    }
}

async fn is_ready(port: u16) -> bool {
    ask::<5>(port, "PING\r\n").await.as_ref() == Some(b"+PONG")
}

/// The first bytes of the answer to an inline command.
async fn ask<const BYTES: usize>(port: u16, command: &str) -> Option<[u8; BYTES]> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    stream.write_all(command.as_bytes()).await.ok()?;
    let mut answer = [0; BYTES];
    stream.read_exact(&mut answer).await.ok()?;
    Some(answer)
}
