//! What follows from an answer: every row of the table in the design.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::look::Ready;
use super::{Item, Lane};
use crate::model::{ConversationId, DeviceId, Seq, Timestamp, UserId};
use crate::push::board::{self, ScreenKey};
use crate::push::provider::{Delivery, Kind, Outcome};
use crate::push::stage::Pause;
use crate::queue::PushJob;
use crate::store::{PushTrace, StoreError};
use crate::telemetry::metrics::family::Label as _;
use crate::telemetry::metrics::{DeadReason, PushDecision, PushResult};

/// A push and its provider's answer.
pub(super) struct Answered {
    pub ready: Ready,
    pub delivery: Delivery,
}

/// The first pause between two attempts is at most this.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// A provider's words, as they are kept.
const ANSWER_CHARS: usize = 500;

impl Lane {
    /// `false` when the stage stopped before everything that follows was safe.
    pub(super) async fn settle(&self, answers: &[Answered], stop: &CancellationToken) -> bool {
        let now = Timestamp::now();
        let again: Vec<Option<Timestamp>> = answers.iter().map(|one| self.again_at(one, now)).collect();
        self.note(answers, &again).await;
        let Some(mut jobs) = self.clears(answers, now, stop).await else { return false };
        let (mut traces, mut all) = (Vec::new(), true);
        for (answered, again) in answers.iter().zip(again) {
            let Answered { ready, delivery } = answered;
            let item = &ready.item;
            self.count(answered, now);
            let mut decision = PushDecision::Sent.value();
            match &delivery.outcome {
                Outcome::Delivered => {}
                Outcome::TokenInvalid { reason } => self.disable(ready, reason, now).await,
                Outcome::Quarantine { reason } => {
                    tracing::error!(reason, app_id = ready.device.app_id, "push.quarantine");
                    self.quarantine(ready, now).await;
                }
                Outcome::Retry { reason, .. } => match again {
                    Some(due) => {
                        jobs.push(item.job(item.attempts() + 1).to(self.lane, Some(due)));
                        decision = "waiting";
                    }
                    None => {
                        tracing::warn!(reason, attempts = item.attempts() + 1, "push.expired");
                        self.parts.metrics.push.push_decisions_total.get(PushDecision::Expired).inc();
                        decision = PushDecision::Expired.value();
                    }
                },
                Outcome::Rejected { reason } => {
                    tracing::error!(reason, lane = self.lane.queue(), "push.rejected");
                    let payload = item.job(item.attempts() + 1).encode();
                    all &= self.bury(payload, reason, DeadReason::Provider, stop).await;
                }
            }
            traces.extend(self.trace_of(answered, decision, now));
        }
        // First the jobs, then the rest: a trace may be lost.
        all &= self.parts.put(jobs, stop).await;
        self.parts.trace(&traces).await;
        all
    }

    /// When it is tried again; `None` when it is settled.
    fn again_at(&self, answered: &Answered, now: Timestamp) -> Option<Timestamp> {
        let item = &answered.ready.item;
        let Outcome::Retry { after, .. } = &answered.delivery.outcome else { return None };
        let due = now.plus(after.unwrap_or_else(|| self.backoff(item.attempts())));
        (due.since(item.since()) < self.parts.settings.patience.expiry).then_some(due)
    }

    /// Notes what phones show now, so that a job that comes again shows nothing a second time; and what rings for nothing any more.
    async fn note(&self, answers: &[Answered], again: &[Option<Timestamp>]) {
        let mut by_screen: BTreeMap<ScreenKey, Vec<&Answered>> = BTreeMap::new();
        for (answered, again) in answers.iter().zip(again) {
            if again.is_none() && !answered.ready.tells.is_empty() {
                by_screen.entry(answered.ready.item.screen()).or_default().push(answered);
            }
        }
        let keys: Vec<ScreenKey> = by_screen.keys().cloned().collect();
        let noted = board::change(&*self.parts.board, &keys, |key, screens| {
            for Answered { ready, delivery } in by_screen.get(key).into_iter().flatten() {
                if delivery.outcome != Outcome::Delivered {
                    ready.item.release(screens);
                    continue;
                }
                let screen = screens.of(&ready.device.device_id);
                match (&ready.item, &ready.notification.kind) {
                    (Item::Ring { notice, .. }, Kind::Alert(_)) => screen.took(notice.seq),
                    (Item::Ring { notice, .. }, Kind::Silent(_)) => screen.took_silently(notice.seq),
                    (Item::Summary { .. }, _) => screen.took_summary(&ready.tells),
                    (Item::Clear(_), _) => {}
                }
            }
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, "push.note: what was delivered may be delivered again");
        }
        self.note_badges(answers).await;
    }

    /// Notes what stands on the icons, so that a read in any conversation can correct it. Apart from the rest: the pushes of all of a
    /// user's conversations meet here, and nothing but a correction depends on it.
    async fn note_badges(&self, answers: &[Answered]) {
        let mut badges: BTreeMap<ScreenKey, Vec<(&DeviceId, u32)>> = BTreeMap::new();
        for Answered { ready, delivery } in answers {
            if let (Outcome::Delivered, Some(badge)) = (&delivery.outcome, ready.notification.badge) {
                let key = ScreenKey::of_badges(ready.item.phone().user_id.clone());
                badges.entry(key).or_default().push((&ready.device.device_id, badge));
            }
        }
        let keys: Vec<ScreenKey> = badges.keys().cloned().collect();
        let noted = board::change(&*self.parts.board, &keys, |key, screens| {
            for (device, badge) in badges.get(key).into_iter().flatten() {
                screens.of(device).took_badge(*badge);
            }
        });
        if let Err(error) = noted.await {
            tracing::warn!(%error, "push.note: a badge may stay as it is");
        }
    }

    /// Clears what was read while it was on its way: its reader found no note of it, as it is written only now, and looked before. `None`
    /// when the stage stops before it is known; then the job comes again and finds that it is shown.
    async fn clears(
        &self,
        answers: &[Answered],
        now: Timestamp,
        stop: &CancellationToken,
    ) -> Option<Vec<PushJob>> {
        let shown = answers.iter().filter(|Answered { ready, delivery }| {
            let shows = matches!(ready.notification.kind, Kind::Alert(_)) && !ready.tells.is_empty();
            delivery.outcome == Outcome::Delivered && shows
        });
        let shown: Vec<&Ready> = shown.map(|answered| &answered.ready).collect();
        if shown.is_empty() {
            return Some(Vec::new());
        }
        let of: Vec<(ConversationId, UserId)> = shown
            .iter()
            .map(|ready| (ready.item.conversation_id(), ready.item.phone().user_id.clone()))
            .collect();
        let mut pause = Pause::default();
        let read = loop {
            match self.parts.store.read_seqs(&of).await {
                Ok(read) => break read,
                Err(error) => tracing::warn!(%error, "push.clears"),
            }
            if !pause.wait(stop).await {
                return None;
            }
        };
        let mut jobs = Vec::new();
        for (ready, read) in shown.into_iter().zip(read) {
            let Some(seq) = read.filter(|read| ready.tells.iter().any(|told| told <= read)) else { continue };
            jobs.push(ready.item.clear(seq, now).to(self.lane, None));
        }
        Some(jobs)
    }

    fn count(&self, answered: &Answered, now: Timestamp) {
        let (push, provider) = (&self.parts.metrics.push, self.provider_label());
        let result = match answered.delivery.outcome {
            Outcome::Delivered => PushResult::Delivered,
            Outcome::TokenInvalid { .. } => PushResult::InvalidToken,
            Outcome::Quarantine { .. } => PushResult::Quarantined,
            Outcome::Retry { .. } if answered.delivery.credential => PushResult::Credential,
            Outcome::Retry { .. } => PushResult::Retry,
            Outcome::Rejected { .. } => PushResult::Rejected,
        };
        push.push_requests_total.get(provider, result).inc();
        if result != PushResult::InvalidToken {
            self.invalid.count(false);
        }
        if let (PushResult::Delivered, Item::Ring { notice, .. }) = (result, &answered.ready.item) {
            push.push_delay_seconds.get(provider).observe(now.since(notice.stored_at()).as_secs_f64());
        }
    }

    async fn disable(&self, ready: &Ready, reason: &str, now: Timestamp) {
        if self.invalid.count(true) {
            return self.quarantine(ready, now).await;
        }
        let phone = ready.item.phone();
        let registered = ready.device.registered_at;
        let store = &self.parts.store;
        match store.disable_device(&phone.user_id, &phone.device_id, registered, now).await {
            Ok(disabled) => {
                tracing::info!(reason, disabled, provider = self.provider.name(), "push.token_invalid");
                let invalidated = &self.parts.metrics.push.push_tokens_invalidated_total;
                invalidated.get(self.provider_label()).inc_by(u64::from(disabled));
            }
            // The next push to it gets the same answer.
            Err(error) => warn(&error),
        }
    }

    async fn quarantine(&self, ready: &Ready, now: Timestamp) {
        let phone = ready.item.phone();
        let registered = ready.device.registered_at;
        let store = &self.parts.store;
        if let Err(error) = store.quarantine_device(&phone.user_id, &phone.device_id, registered, now).await {
            warn(&error);
        }
    }

    /// Exponential with full jitter.
    fn backoff(&self, attempts: u32) -> Duration {
        let most = FIRST_RETRY.saturating_mul(1 << attempts.min(20)).min(self.parts.settings.retry_max);
        most.mul_f64(rand::random())
    }

    /// What an operator sees of it: a row for each message that it tells of.
    fn trace_of(&self, answered: &Answered, decision: &str, now: Timestamp) -> Vec<PushTrace> {
        let Answered { ready, delivery } = answered;
        let words =
            delivery.answer.as_ref().map(|answer| answer.body.as_str()).filter(|body| !body.is_empty());
        let words = words.or_else(|| delivery.outcome.reason());
        let row = |seq: &Seq| PushTrace {
            conversation_id: ready.item.conversation_id(),
            seq: *seq,
            user_id: ready.item.phone().user_id.clone(),
            device_id: ready.device.device_id.clone(),
            decision: decision.to_owned(),
            decided_at: now,
            provider: Some(self.provider.name().to_owned()),
            attempts: ready.item.attempts() + 1,
            answered_at: Some(now),
            status: delivery.answer.as_ref().map(|answer| answer.status),
            answer: words.map(|words| words.chars().take(ANSWER_CHARS).collect()),
        };
        ready.tells.iter().map(row).collect()
    }
}

fn warn(error: &StoreError) {
    tracing::warn!(%error, "push.device");
}
