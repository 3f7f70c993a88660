//! A provider that only says so: what `dev` uses where no other is configured.

use crate::push::provider::{Delivery, Kind, Notification, Outcome, Provider};

/// Writes one line for each push, without its text and without the token.
#[derive(Debug, Default)]
pub struct Log;

#[async_trait::async_trait]
impl Provider for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    async fn deliver(&self, notification: &Notification) -> Delivery {
        let kind = match notification.kind {
            Kind::Alert(_) => "alert",
            Kind::Silent(_) => "silent",
        };
        tracing::info!(
            push.id = %notification.id,
            push.kind = kind,
            push.badge = notification.badge,
            device.platform = ?notification.device.platform,
            device.app_id = notification.device.app_id,
            "push delivered to the log"
        );
        Delivery::unasked(Outcome::Delivered)
    }
}
