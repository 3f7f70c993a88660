//! A gateway's channel: its own connection, its lease, and every way in which events may have been missed.

use std::time::Duration;

use async_trait::async_trait;
use fred::interfaces::{EventInterface, PubsubInterface};
use fred::types::{Message, Value};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};

use super::connect::Connection;
use super::lease::Renewal;
use super::sweep::Sweep;
use super::{RedisFanout, codec, unavailable};
use crate::fanout::{FanoutError, Subscription, Subscriptions};
use crate::model::{Event, GatewayId};

/// Messages that may wait for the gateway, one a batch of a worker: some seconds of the highest rate. Past it the
/// oldest are dropped, and `receive` says so.
const WAITING_MESSAGES: usize = 1024;

/// The pause after a renewal that failed: short, so that a lease has several tries left.
const RETRY: Duration = Duration::from_millis(250);

struct RedisSubscription {
    gateway: GatewayId,
    connection: Connection,
    messages: Receiver<Message>,
    /// Renews the lease, and ends when it cannot.
    lease: JoinHandle<&'static str>,
    /// When anything came last; signs of life come with each renewal.
    heard: Instant,
    over: bool,
    fanout: RedisFanout,
}

#[async_trait]
impl Subscriptions for RedisFanout {
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, FanoutError> {
        let failed = |error| unavailable("cannot subscribe", Some(error));
        let gateway = GatewayId::new();
        let mut connection = self.shared.connector.open(WAITING_MESSAGES).await.map_err(failed)?;
        let messages = connection.client.message_rx();
        let channel = String::from_utf8_lossy(&self.keys().channel(gateway)).into_owned();
        if self.shared.connector.is_cluster() {
            connection.client.ssubscribe(channel).await.map_err(failed)?;
        } else {
            connection.client.subscribe(channel).await.map_err(failed)?;
            // fred does not wait for the answer to SUBSCRIBE. This answer comes after it.
            connection.ping(self.shared.connector.command_timeout()).await.map_err(failed)?;
        }
        // Only now: whoever sees the lease may send.
        let taken = Instant::now();
        self.take_lease(gateway).await?;
        let lease = tokio::spawn(keep_lease(self.clone(), gateway, taken));
        let (heard, fanout) = (Instant::now(), self.clone());
        Ok(Box::new(RedisSubscription { gateway, connection, messages, lease, heard, over: false, fanout }))
    }

    async fn publish(&self, events: Vec<Event>) -> Result<(), FanoutError> {
        self.publish_batch(events).await
    }
}

#[async_trait]
impl Subscription for RedisSubscription {
    fn gateway(&self) -> GatewayId {
        self.gateway
    }

    async fn receive(&mut self) -> Result<Vec<Event>, FanoutError> {
        if self.over {
            return Err(unavailable("the subscription is over", None));
        }
        loop {
            match self.next_message().await {
                Ok(events) if events.is_empty() => {}
                Ok(events) => return Ok(events),
                Err(error) => {
                    self.over = true;
                    return Err(error);
                }
            }
        }
    }
}

impl RedisSubscription {
    /// Cancel-safe. A sign of life has no events.
    async fn next_message(&mut self) -> Result<Vec<Event>, FanoutError> {
        let silent = self.heard + self.fanout.lease_ttl();
        let message = tokio::select! {
            // What came before the end is delivered before it.
            biased;
            message = timeout_at(silent, self.messages.recv()) => message,
            why = &mut self.lease => return Err(unavailable(why.unwrap_or("the lease's task ended"), None)),
            lost = self.connection.lost() => return Err(unavailable("the connection was lost", Some(lost))),
        };
        self.heard = Instant::now();
        match message {
            Ok(Ok(message)) => read(&message.value),
            Ok(Err(RecvError::Lagged(missed))) => {
                Err(unavailable(&format!("the gateway was too slow and missed {missed} messages"), None))
            }
            Ok(Err(RecvError::Closed)) => Err(unavailable("the connection was closed", None)),
            Err(_) => Err(unavailable("nothing was heard for as long as a lease lives", None)),
        }
    }
}

fn read(payload: &Value) -> Result<Vec<Event>, FanoutError> {
    codec::decode(payload.as_bytes().unwrap_or_default()).map_err(|error| {
        tracing::warn!(%error, "a message of the fan-out cannot be read: another release sent it");
        FanoutError::Unavailable {
            message: "a message cannot be read".to_owned(),
            source: Some(Box::new(error)),
        }
    })
}

impl Drop for RedisSubscription {
    fn drop(&mut self) {
        self.lease.abort();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let (fanout, gateway) = (self.fanout.clone(), self.gateway);
            // Best effort: otherwise the lease ends by itself.
            runtime.spawn(async move {
                if let Err(error) = fanout.release_lease(gateway).await {
                    tracing::debug!(%error, "a gateway's lease was not released");
                }
            });
        }
    }
}

/// Renews the lease until it cannot, and says why. `taken` is before Redis began to count.
async fn keep_lease(fanout: RedisFanout, gateway: GatewayId, taken: Instant) -> &'static str {
    let mut renewed = taken;
    let mut sweep = Sweep::default();
    let mut pause = fanout.shared.lease_interval;
    loop {
        sleep(pause).await;
        let began = Instant::now();
        match fanout.renew_lease(gateway).await {
            Ok(Renewal::Renewed { expired }) => {
                renewed = began;
                pause = fanout.shared.lease_interval;
                sweep.step(&fanout, &expired).await;
            }
            Ok(Renewal::Expired) => return "the lease expired",
            Ok(Renewal::Deaf) => return "Redis forgot the subscription",
            Err(error) => {
                tracing::debug!(%error, "a gateway's lease was not renewed");
                pause = RETRY;
            }
        }
        if renewed.elapsed() >= fanout.lease_ttl() {
            return "the lease could not be renewed";
        }
    }
}
