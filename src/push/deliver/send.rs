//! Sending what is ready, many at a time, and settling the answers meanwhile.

use std::pin::pin;

use futures_util::future::{Either, select};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
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
        settled: impl FnMut(&Ready) + Send,
    ) {
        let first = ready.iter().filter(|ready| ready.item.attempts() == 0).count();
        self.parts.metrics.push.push_decisions_total.get(PushDecision::Sent).inc_by(first as u64);
        // Room for all that can come, so that no request waits for an answer to be settled.
        let (tell, answers) = mpsc::channel(ready.len().max(1));
        let asking = pin!(self.ask_all(ready, tell));
        let settling = pin!(self.settle_all(answers, stop, settled));
        // It ends first only when the stage stops: then nobody waits for what is under way.
        if let Either::Left(((), settling)) = select(asking, settling).await {
            settling.await;
        }
    }

    async fn ask_all(&self, ready: Vec<Ready>, tell: mpsc::Sender<Answered>) {
        // The provider's own limits are shared by all groups; this one only bounds what one group waits for.
        let answers = stream::iter(ready).map(|ready| self.ask(ready));
        let mut answers = pin!(answers.buffer_unordered(self.parts.settings.concurrency));
        while let Some(answered) = answers.next().await {
            // Nobody settles any more: the stage stops.
            if tell.send(answered).await.is_err() {
                return;
            }
        }
    }

    async fn ask(&self, ready: Ready) -> Answered {
        let began = Instant::now();
        let delivery = self.provider.deliver(&ready.notification).await;
        let seconds = self.parts.metrics.push.push_request_seconds.get(self.provider_label());
        seconds.observe(began.elapsed().as_secs_f64());
        Answered { ready, delivery }
    }
    async fn settle_all(
        &self,
        mut coming: mpsc::Receiver<Answered>,
        stop: &CancellationToken,
        mut settled: impl FnMut(&Ready) + Send,
    ) {
        let mut answers = Vec::with_capacity(TOGETHER);
        while coming.recv_many(&mut answers, TOGETHER).await > 0 {
            if !self.settle(&answers, stop).await {
                return;
            }
            answers.drain(..).for_each(|answered| settled(&answered.ready));
        }
    }
}
