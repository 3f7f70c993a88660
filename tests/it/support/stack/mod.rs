//! PostgreSQL, Redis and RabbitMQ for tests: installed by the system's packages, started here, gone with the test process.
//!
//! [`Stack::shared`] is one of each for the whole test process; a variable `TIDINGS_TEST_{POSTGRES,REDIS,RABBITMQ}_URL` takes the
//! place of one. Tests keep apart by their own database, key prefix or queue prefix. [`Stack::private`] is for a test that
//! breaks what it uses: only private services can be killed.

mod install;
pub mod ports;
mod postgres;
mod process;
mod rabbitmq;
mod redis;
mod service;
#[cfg(test)]
mod tests;

use tokio::sync::OnceCell;

pub use postgres::Postgres;
pub use rabbitmq::RabbitMq;
pub use redis::Redis;

/// Which services a private stack starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Postgres,
    Redis,
    RabbitMq,
}

impl Wanted {
    pub const ALL: [Self; 3] = [Self::Postgres, Self::Redis, Self::RabbitMq];
}

/// Services of one test, or of all tests of this process.
pub struct Stack {
    postgres: Option<Postgres>,
    redis: Option<Redis>,
    rabbitmq: Option<RabbitMq>,
}

static POSTGRES: OnceCell<Postgres> = OnceCell::const_new();
static REDIS: OnceCell<Redis> = OnceCell::const_new();
static RABBITMQ: OnceCell<RabbitMq> = OnceCell::const_new();

/// The services that all tests of this process share, each started when it is first asked for.
#[derive(Clone, Copy)]
pub struct Shared {
    pub postgres: &'static Postgres,
    pub redis: &'static Redis,
    pub rabbitmq: &'static RabbitMq,
}

impl Stack {
    /// All three, shared by the tests of this process. A test that needs one asks for that one only.
    pub async fn shared() -> Shared {
        let (postgres, redis, rabbitmq) =
            tokio::join!(Self::shared_postgres(), Self::shared_redis(), Self::shared_rabbitmq());
        Shared { postgres, redis, rabbitmq }
    }

    pub async fn shared_postgres() -> &'static Postgres {
        POSTGRES.get_or_init(Postgres::shared).await
    }

    pub async fn shared_redis() -> &'static Redis {
        REDIS.get_or_init(Redis::shared).await
    }

    pub async fn shared_rabbitmq() -> &'static RabbitMq {
        RABBITMQ.get_or_init(RabbitMq::shared).await
    }

    /// Services of one test, started in parallel and removed when this is dropped.
    pub async fn private(wanted: &[Wanted]) -> Self {
        let postgres = async {
            match wanted.contains(&Wanted::Postgres) {
                true => Some(Postgres::private().await),
                false => None,
            }
        };
        let redis = async {
            match wanted.contains(&Wanted::Redis) {
                true => Some(Redis::private().await),
                false => None,
            }
        };
        let rabbitmq = async {
            match wanted.contains(&Wanted::RabbitMq) {
                true => Some(RabbitMq::private().await),
                false => None,
            }
        };
        let (postgres, redis, rabbitmq) = tokio::join!(postgres, redis, rabbitmq);
        Self { postgres, redis, rabbitmq }
    }

    pub fn postgres(&self) -> &Postgres {
        self.postgres.as_ref().expect("the test asked for Postgres")
    }

    pub fn redis(&self) -> &Redis {
        self.redis.as_ref().expect("the test asked for Redis")
    }

    pub fn rabbitmq(&self) -> &RabbitMq {
        self.rabbitmq.as_ref().expect("the test asked for RabbitMQ")
    }
}
