//! Gateways' channels in memory.

use std::collections::HashMap;

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::{EmbeddedFanout, State};
use crate::fanout::{FanoutError, Subscription, Subscriptions};
use crate::model::{Event, GatewayId, Target};

/// Batches that may wait for a gateway. Past that the publisher waits: the gateway only has to hand them to outboxes,
/// which never block, so a wait is short.
const WAITING_BATCHES: usize = 256;

#[derive(Default)]
pub(super) struct Channels(HashMap<GatewayId, mpsc::Sender<Vec<Event>>>);

struct EmbeddedSubscription {
    gateway: GatewayId,
    events: mpsc::Receiver<Vec<Event>>,
    fanout: EmbeddedFanout,
}

#[async_trait]
impl Subscriptions for EmbeddedFanout {
    async fn subscribe(&self) -> Result<Box<dyn Subscription>, FanoutError> {
        let gateway = GatewayId::new();
        let (sender, events) = mpsc::channel(WAITING_BATCHES);
        self.state().channels.0.insert(gateway, sender);
        Ok(Box::new(EmbeddedSubscription { gateway, events, fanout: self.clone() }))
    }

    async fn publish(&self, events: Vec<Event>) -> Result<(), FanoutError> {
        let batches = self.state().sort(events);
        for (channel, batch) in batches {
            // A gateway that is gone took its sockets along; nobody misses these events.
            let _ = channel.send(batch).await;
        }
        Ok(())
    }
}

impl State {
    /// Which events go to which gateway's channel.
    fn sort(&self, events: Vec<Event>) -> Vec<(mpsc::Sender<Vec<Event>>, Vec<Event>)> {
        if let [(_, channel)] = self.channels.0.iter().collect::<Vec<_>>()[..] {
            let here = events.into_iter().filter(|event| self.is_held(&event.target)).collect::<Vec<_>>();
            return if here.is_empty() { Vec::new() } else { vec![(channel.clone(), here)] };
        }
        let mut batches: HashMap<GatewayId, Vec<Event>> = HashMap::new();
        for event in events {
            let mut gateways = self.gateways_of(&event.target);
            gateways.sort_unstable();
            gateways.dedup();
            for gateway in gateways {
                batches.entry(gateway).or_default().push(event.clone());
            }
        }
        batches
            .into_iter()
            .filter_map(|(gateway, batch)| Some((self.channels.0.get(&gateway)?.clone(), batch)))
            .collect()
    }

    fn is_held(&self, target: &Target) -> bool {
        match target {
            Target::Users(users) => users.iter().any(|user| !self.users.of(user).is_empty()),
            Target::Group(group, users) => {
                !self.groups.of(group).is_empty() || users.iter().any(|user| !self.users.of(user).is_empty())
            }
            Target::Watchers(user) => !self.watchers.of(user).is_empty(),
            Target::Gateway(gateway) => self.channels.0.contains_key(gateway),
            Target::Everyone => true,
        }
    }

    fn gateways_of(&self, target: &Target) -> Vec<GatewayId> {
        match target {
            Target::Users(users) => users.iter().flat_map(|user| self.users.of(user)).copied().collect(),
            Target::Group(group, users) => {
                let direct = users.iter().flat_map(|user| self.users.of(user));
                self.groups.of(group).iter().chain(direct).copied().collect()
            }
            Target::Watchers(user) => self.watchers.of(user).to_vec(),
            Target::Gateway(gateway) => vec![*gateway],
            Target::Everyone => self.channels.0.keys().copied().collect(),
        }
    }
}

#[async_trait]
impl Subscription for EmbeddedSubscription {
    fn gateway(&self) -> GatewayId {
        self.gateway
    }

    async fn receive(&mut self) -> Result<Vec<Event>, FanoutError> {
        self.events.recv().await.ok_or_else(|| FanoutError::Unavailable {
            message: "the channel was closed".to_owned(),
            source: None,
        })
    }
}

impl Drop for EmbeddedSubscription {
    fn drop(&mut self) {
        let mut state = self.fanout.state();
        state.channels.0.remove(&self.gateway);
        state.users.forget(self.gateway);
        state.idle.forget(self.gateway);
        state.groups.forget(self.gateway);
        state.watchers.forget(self.gateway);
    }
}
