//! Routes in memory.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use async_trait::async_trait;

use super::EmbeddedFanout;
use crate::fanout::{Attention, FanoutError, Routes};
use crate::model::{ConversationId, GatewayId, UserId};

/// Which gateways hold a key.
pub(super) struct Table<K>(HashMap<K, Vec<GatewayId>>);

impl<K> Default for Table<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq + Clone> Table<K> {
    pub(super) fn register(&mut self, gateway: GatewayId, keys: &[K]) {
        for key in keys {
            let gateways = self.0.entry(key.clone()).or_default();
            if !gateways.contains(&gateway) {
                gateways.push(gateway);
            }
        }
    }

    pub(super) fn unregister(&mut self, gateway: GatewayId, keys: &[K]) {
        for key in keys {
            if let Some(gateways) = self.0.get_mut(key) {
                gateways.retain(|other| *other != gateway);
                if gateways.is_empty() {
                    self.0.remove(key);
                }
            }
        }
    }

    pub(super) fn of(&self, key: &K) -> &[GatewayId] {
        self.0.get(key).map_or(&[], Vec::as_slice)
    }

    pub(super) fn forget(&mut self, gateway: GatewayId) {
        self.0.retain(|_, gateways| {
            gateways.retain(|other| *other != gateway);
            !gateways.is_empty()
        });
    }
}

#[async_trait]
impl Routes for EmbeddedFanout {
    async fn register_users(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.state().users.register(gateway, users);
        Ok(())
    }

    async fn unregister_users(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.state().users.unregister(gateway, users);
        Ok(())
    }

    async fn register_groups(
        &self,
        gateway: GatewayId,
        groups: &[ConversationId],
    ) -> Result<(), FanoutError> {
        self.state().groups.register(gateway, groups);
        Ok(())
    }

    async fn unregister_groups(
        &self,
        gateway: GatewayId,
        groups: &[ConversationId],
    ) -> Result<(), FanoutError> {
        self.state().groups.unregister(gateway, groups);
        Ok(())
    }

    async fn register_idle(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.state().idle.register(gateway, users);
        Ok(())
    }

    async fn unregister_idle(&self, gateway: GatewayId, users: &[UserId]) -> Result<(), FanoutError> {
        self.state().idle.unregister(gateway, users);
        Ok(())
    }

    async fn attention(&self, users: &[UserId]) -> Result<Vec<Attention>, FanoutError> {
        let state = self.state();
        let attention = |user: &UserId| {
            let idle = state.idle.of(user);
            match state.users.of(user) {
                [] => Attention::Away,
                gateways if gateways.iter().all(|gateway| idle.contains(gateway)) => Attention::Idle,
                _ => Attention::Active,
            }
        };
        Ok(users.iter().map(attention).collect())
    }

    async fn bring_groups(&self, groups: &[(ConversationId, Vec<UserId>)]) -> Result<(), FanoutError> {
        let mut state = self.state();
        for (group, users) in groups {
            let gateways: BTreeSet<GatewayId> =
                users.iter().flat_map(|user| state.users.of(user)).copied().collect();
            for gateway in gateways {
                state.groups.register(gateway, &[*group]);
            }
        }
        Ok(())
    }

    async fn are_connected(&self, users: &[UserId]) -> Result<Vec<bool>, FanoutError> {
        let state = self.state();
        Ok(users.iter().map(|user| !state.users.of(user).is_empty()).collect())
    }
}
