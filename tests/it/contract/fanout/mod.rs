//! The fan-out's contract on both backends, Redis also as a cluster, and what only Redis can suffer.

mod acknowledged;
mod backends;
mod devices;
mod leases;
mod presence;
mod redis_cluster;
mod redis_cost;
mod redis_faults;
mod redis_tls;
mod redis_wire;
mod routes;
mod scene;
mod subscriptions;

/// Stamps tests, each an async function over `Arc<dyn Fanout>`, onto every backend.
macro_rules! on_every_backend {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::super::backends::embedded()).await;
            })+
        }
        mod redis {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::super::backends::redis().await).await;
            })+
        }
        mod redis_cluster {
            $(#[tokio::test]
            async fn $name() {
                super::$name(super::super::backends::redis_cluster().await).await;
            })+
        }
    };
}

use on_every_backend;

/// A Redis of one test, for the other ports that live there.
pub async fn redis_fanout() -> tidings::fanout::redis::RedisFanout {
    backends::connected(&backends::settings(crate::support::stack::Stack::shared_redis().await.url())).await
}
