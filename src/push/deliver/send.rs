//! Sending what is ready, many at a time.

use futures_util::{StreamExt, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Lane;
use super::look::Ready;
use super::settle::Answered;
use crate::telemetry::metrics::PushDecision;

/// Answers that are settled together.
const TOGETHER: usize = 64;

impl Lane {
    /// Sends all of these and settles each answer, and tells `settled` of it; less than all only when the stage stops before.
    pub(super) async fn send(
        &self,
        ready: Vec<Ready>,
        stop: &CancellationToken,
        mut settled: impl FnMut(&Ready),
    ) {
        let first = ready.iter().filter(|ready| ready.item.attempts() == 0).count();
        self.parts.metrics.push.push_decisions_total.get(PushDecision::Sent).inc_by(first as u64);
        // The provider's own limits are shared by all groups; this one only bounds what one group waits for.
        let answers = stream::iter(ready).map(|ready| self.ask(ready));
        let mut answers = answers.buffer_unordered(self.parts.settings.concurrency).ready_chunks(TOGETHER);
        while let Some(answered) = answers.next().await {
            if !self.settle(&answered, stop).await {
                return;
            }
            answered.iter().for_each(|answered| settled(&answered.ready));
        }
    }

    async fn ask(&self, ready: Ready) -> Answered {
        let began = Instant::now();
        let delivery = self.provider.deliver(&ready.notification).await;
        let seconds = self.parts.metrics.push.push_request_seconds.get(self.provider_label());
        seconds.observe(began.elapsed().as_secs_f64());
        Answered { ready, delivery }
    }
}
