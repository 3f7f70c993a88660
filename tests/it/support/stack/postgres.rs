//! PostgreSQL with a database for each test that asks for one.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::service::{Faults, Service};
use super::{install, ports, process};

pub struct Postgres {
    /// Its URL is that of the database `postgres`.
    service: Service,
}

impl Postgres {
    pub(super) async fn shared() -> Self {
        match Service::elsewhere("TIDINGS_TEST_POSTGRES_URL") {
            Some(service) => Self { service },
            None => Self::launch(Faults::Forbidden).await,
        }
    }

    pub(super) async fn private() -> Self {
        Self::launch(Faults::Allowed).await
    }

    async fn launch(faults: Faults) -> Self {
        let server =
            install::find("postgresql", &["/usr/lib/postgresql/*/bin/postgres", "/usr/bin/postgres"]);
        let folder = process::folder("postgres");
        let data = folder.path().join("data");
        let user = User::of_the_server();
        if let Some(user) = user {
            std::os::unix::fs::chown(folder.path(), Some(user.id), Some(user.group))
                .expect("root may do that");
        }
        let mut initialise = Command::new(server.with_file_name("initdb"));
        initialise.args([
            "--auth=trust",
            "--username=postgres",
            "--no-sync",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        initialise.arg("-D").arg(&data).current_dir(folder.path());
        as_user(&mut initialise, user);
        // Some seconds long, and the other services start beside it.
        let output = tokio::task::spawn_blocking(move || initialise.output()).await;
        let output = output.expect("it does not panic").expect("initdb stands beside postgres");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));

        let port = ports::free();
        let path = folder.path().to_owned();
        let process = process::Process::new("Postgres", folder, move || {
            // Left by a kill; the number in it may be another process's by now.
            let _ = fs::remove_file(data.join("postmaster.pid"));
            let mut command = Command::new(&server);
            command.arg("-D").arg(&data).args(["-p", &port.to_string()]).current_dir(&path);
            for setting in ["listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200"] {
                command.args(["-c", setting]);
            }
            as_user(&mut command, user);
            command
        });
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        let probed = url.clone();
        Self {
            service: Service::start(url, process, faults, async || connect(&probed).await.is_some()).await,
        }
    }

    /// Of the server's own database; tests make theirs with [`database`](Self::database).
    pub fn url(&self) -> &str {
        self.service.url()
    }

    /// Makes a new, empty database and returns its URL.
    pub async fn database(&self) -> String {
        let name = format!("tidings_test_{}", Uuid::new_v4().simple());
        let client = connect(self.url()).await.expect("Postgres answers");
        client.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("this user may make databases");
        let (place, query) = match self.url().split_once('?') {
            Some((place, query)) => (place, format!("?{query}")),
            None => (self.url(), String::new()),
        };
        let server = place.rsplit_once('/').map_or(place, |(server, _)| server);
        format!("{server}/{name}{query}")
    }

    /// `kill -9` of the server and all its backends.
    pub fn kill(&self) {
        self.service.mine().kill();
    }

    /// Starts it again after a [`kill`](Self::kill), on its port and data.
    pub async fn start(&self) {
        self.service.mine().start();
        self.service.wait(async || connect(self.url()).await.is_some()).await;
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
}

/// A connection; it ends when the client is dropped.
pub(super) async fn connect(url: &str) -> Option<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.ok()?;
    tokio::spawn(connection);
    Some(client)
}

/// Whom the server runs as: it refuses to be root.
#[derive(Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

impl User {
    /// `None`: as ourselves.
    fn of_the_server() -> Option<Self> {
        use std::os::unix::fs::MetadataExt;
        let ourselves = fs::metadata("/proc/self").map_or(1, |of| of.uid());
        if ourselves != 0 {
            return None;
        }
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        users.lines().find_map(|line| {
            let fields: Vec<&str> = line.split(':').collect();
            (fields[0] == "postgres").then(|| {
                Some(Self { id: fields.get(2)?.parse().ok()?, group: fields.get(3)?.parse().ok()? })
            })?
        })
    }
}

fn as_user(command: &mut Command, user: Option<User>) {
    if let Some(user) = user {
        command.uid(user.id).gid(user.group);
    }
}
