//! Tidings as a test meets it: one process on the embedded backends, or two gateways and two workers on the services.

use std::net::SocketAddr;

use futures_util::future::join_all;
use tempfile::TempDir;

use super::server::Server;
use super::stack::{Postgres, RabbitMq, Redis, Stack};

/// Where clients connect: the two sides of a conversation use different gateways where there are two.
pub struct World {
    pub here: SocketAddr,
    pub there: SocketAddr,
    pub servers: Vec<Server>,
    /// Workers, after the gateways.
    pub workers: Vec<Server>,
    /// Processes of the push stage, where they are not in the others.
    pub pushers: Vec<Server>,
    /// The database of the roles.
    pub postgres: Option<String>,
    settings: Vec<(String, String)>,
    _data: Option<TempDir>,
}

impl World {
    /// `tidings dev` with a folder of its own.
    pub async fn dev(settings: &[(&str, &str)]) -> Self {
        let data = tempfile::tempdir().expect("a folder can be made");
        let folder = data.path().to_str().expect("the folder's name is text").to_owned();
        let mut all = vec![("embedded__data_dir", folder.as_str())];
        all.extend_from_slice(settings);
        let server = Server::start("dev", &all).await;
        Self {
            here: server.listen,
            there: server.listen,
            servers: vec![server],
            workers: Vec::new(),
            pushers: Vec::new(),
            postgres: None,
            settings: owned(&all),
            _data: Some(data),
        }
    }

    /// Two gateways, two workers and a push stage on the shared services.
    pub async fn roles_with_push(settings: &[(&str, &str)]) -> Self {
        let shared = Stack::shared().await;
        Self::begin(shared.postgres, shared.rabbitmq, shared.redis, settings, 1).await
    }

    /// The same on services of the test's own.
    pub async fn roles_with_push_on(stack: &Stack, settings: &[(&str, &str)]) -> Self {
        Self::begin(stack.postgres(), stack.rabbitmq(), stack.redis(), settings, 1).await
    }

    /// Two gateways and two workers on the shared services, with a database, queues and keys of their own.
    pub async fn roles(settings: &[(&str, &str)]) -> Self {
        let shared = Stack::shared().await;
        Self::roles_on(shared.postgres, shared.rabbitmq, shared.redis, settings).await
    }

    pub async fn roles_on(
        postgres: &Postgres,
        rabbitmq: &RabbitMq,
        redis: &Redis,
        settings: &[(&str, &str)],
    ) -> Self {
        Self::begin(postgres, rabbitmq, redis, settings, 0).await
    }

    async fn begin(
        postgres: &Postgres,
        rabbitmq: &RabbitMq,
        redis: &Redis,
        settings: &[(&str, &str)],
        pushers: usize,
    ) -> Self {
        let database = postgres.database().await;
        let prefix = format!("t{:08x}", rand::random::<u32>());
        let mut all = vec![
            ("postgres__url", database.as_str()),
            ("rabbitmq__url", rabbitmq.url()),
            ("rabbitmq__prefix", prefix.as_str()),
            ("redis__url", redis.url()),
            ("redis__prefix", prefix.as_str()),
            ("auth__accounts", "true"),
            ("auth__signing_secret", "another secret of at least thirty-two bytes"),
        ];
        all.extend_from_slice(settings);
        let mut migrating = Server::spawned("migrate", &all);
        assert!(migrating.ended().await.success(), "{}", migrating.output());
        let (one, two, three, four) = tokio::join!(
            Server::start("gateway", &all),
            Server::start("gateway", &all),
            Server::start("worker", &all),
            Server::start("worker", &all),
        );
        Self {
            here: one.listen,
            there: two.listen,
            servers: vec![one, two],
            workers: vec![three, four],
            pushers: join_all((0..pushers).map(|_| Server::start("push", &all))).await,
            postgres: Some(database.clone()),
            settings: owned(&all),
            _data: None,
        }
    }

    /// One process more of a role, with the settings of the others.
    pub async fn another(&self, role: &str) -> Server {
        let settings: Vec<_> =
            self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        Server::start(role, &settings).await
    }

    /// What a setting of all processes was when they started.
    pub fn setting(&self, key: &str) -> &str {
        let found = self.settings.iter().rev().find(|(name, _)| name == key);
        found.map(|(_, value)| value.as_str()).expect("this world has that setting")
    }

    /// All of them.
    pub fn processes(&mut self) -> impl Iterator<Item = &mut Server> {
        self.servers.iter_mut().chain(&mut self.workers).chain(&mut self.pushers)
    }

    /// A setting of all processes from their next start on.
    pub fn set(&mut self, key: &str, value: &str) {
        self.processes().for_each(|process| process.set(key, value));
        self.settings.push((key.to_owned(), value.to_owned()));
    }

    /// Runs a command of the binary with the settings of the processes; its output.
    pub async fn command(&self, arguments: &[&str]) -> std::process::Output {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"));
        command.args(arguments);
        for (key, value) in &self.settings {
            command.env(format!("TIDINGS__{}", key.to_uppercase()), value);
        }
        let output = tokio::task::spawn_blocking(move || command.output()).await;
        output.expect("it does not panic").expect("the binary can be run")
    }
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Stamps scenarios onto both kinds of world: each is an `async fn(&World)`.
#[macro_export]
macro_rules! on_both_worlds {
    ($($name:ident),+ $(,)?) => {
        mod on_dev {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&$crate::support::world::World::dev(&[]).await).await;
            })+
        }
        mod on_roles {
            $(#[tokio::test]
            async fn $name() {
                super::$name(&$crate::support::world::World::roles(&[]).await).await;
            })+
        }
    };
}
