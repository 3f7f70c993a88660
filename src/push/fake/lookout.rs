use std::sync::Arc;

use serde::Deserialize;

use super::{FakeError, NewSubscription, Phone, World};
use crate::push::provider::Platform;

/// Looks at the phones of running fakes from elsewhere in the process. Cheap to clone.
#[derive(Clone)]
pub struct Lookout {
    world: Arc<World>,
    webpush_url: String,
}

#[derive(Deserialize)]
struct Subscribed {
    endpoint: String,
}

impl Lookout {
    pub(super) fn new(world: Arc<World>, webpush_url: String) -> Self {
        Self { world, webpush_url }
    }

    /// What the device that registered this token shows now; `None` before its first push, and
    /// for a browser that subscribed elsewhere.
    pub fn phone(&self, platform: Platform, token: &str) -> Option<Phone> {
        match platform {
            Platform::Apns | Platform::Fcm => self.world.phone(token),
            Platform::Webpush => self.world.phone(&self.browser(token)?),
        }
    }

    /// Whether pushes to this token come here.
    pub fn serves(&self, platform: Platform, token: &str) -> bool {
        platform != Platform::Webpush || self.browser(token).is_some()
    }

    /// A browser subscribes. With `application_server_key` only its holder may push to it.
    pub fn subscribe(&self, application_server_key: Option<String>) -> Result<NewSubscription, FakeError> {
        self.world.subscribe(&self.webpush_url, application_server_key)
    }

    /// The phone's name in a subscription that was made here.
    fn browser(&self, subscription: &str) -> Option<String> {
        let subscribed: Subscribed = serde_json::from_str(subscription).ok()?;
        let path = subscribed.endpoint.strip_prefix(&self.webpush_url)?;
        path.strip_prefix("/push/").map(str::to_owned)
    }
}
