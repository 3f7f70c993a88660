//! Every metric, declared once; the help text is the doc comment.
//!
//! A series with bounded labels exists at 0 from the start and is reached by array index:
//! `metrics.gateway.frames_total.get(Direction::In, FrameType::Send).inc()` hashes nothing.

mod dependencies;
pub mod family;
mod gateway;
mod ingress;
mod labels;
mod push;
mod queue;
#[cfg(test)]
mod tests;
mod worker;

use prometheus::{Encoder, Registry, TextEncoder};

use self::family::Scope;
pub use self::{
    dependencies::Dependencies,
    family::{By, By2},
    gateway::Gateway,
    ingress::Ingress,
    labels::*,
    push::Push,
    queue::Queues,
    worker::Worker,
};

/// Upper bounds in seconds of everything that takes from a millisecond to ten seconds.
const LATENCY: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Upper bounds of the messages in a batch.
const BATCH: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

/// Which part of Tidings this process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All of them.
    Dev,
    Gateway,
    Worker,
    Push,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Gateway => "gateway",
            Self::Worker => "worker",
            Self::Push => "push",
        }
    }
}

/// All metrics of a process. Those that its role cannot feed work but are not shown.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub role: Role,
    pub gateway: Gateway,
    pub ingress: Ingress,
    pub queues: Queues,
    pub worker: Worker,
    pub push: Push,
    pub dependencies: Dependencies,
}

impl Metrics {
    pub fn new(role: Role) -> Self {
        let shown = Registry::new();
        let hidden = Registry::new();
        let scope = |roles: &[Role]| {
            let is_shown = role == Role::Dev || roles.contains(&role);
            Scope { registry: if is_shown { &shown } else { &hidden }, role }
        };
        let metrics = Self {
            role,
            gateway: Gateway::new(scope(&[Role::Gateway])),
            ingress: Ingress::new(scope(&[Role::Gateway])),
            queues: Queues::new(scope(&[Role::Worker, Role::Push])),
            worker: Worker::new(scope(&[Role::Worker])),
            push: Push::new(scope(&[Role::Push])),
            dependencies: Dependencies::new(scope(&[Role::Gateway, Role::Worker, Role::Push])),
            registry: shown.clone(),
        };
        metrics.dependencies.show_build(role);
        metrics
    }

    /// All series in Prometheus' text format 0.0.4.
    pub fn to_text(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }
}
