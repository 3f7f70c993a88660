//! Deciding: who is concerned, who is waited for, whose phones ring.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::knowledge::Wanted;
use super::{Knowledge, Parts, Pause, Plan, read};
use crate::model::{Device, Seq, Timestamp, UserId};
use crate::push::board::{self, Budget, ScreenKey};
use crate::push::decide::{self, Facts, Silence};
use crate::push::job::{Job, Notice, Phone, ReadElsewhere, Summary};
use crate::push::probe;
use crate::queue::{PushConsumer, PushDelivery, PushLane, QueueError};
use crate::store::{PushTrace, Recipient, StoreError};
use crate::telemetry::metrics::{ConsumeResult, ConsumedQueue, DeadReason, PushDecision};

/// Jobs that are taken together.
const TOGETHER: usize = 64;
const PREFETCH: u16 = 256;

/// Decides until `stop`.
pub(super) async fn run(parts: Arc<Parts>, stop: CancellationToken) {
    let mut pause = Pause::default();
    while !stop.is_cancelled() {
        let lost = match parts.jobs.consume_push(PushLane::Work, PREFETCH).await {
            Ok(mut consumer) => match consume(&parts, &mut *consumer, &stop).await {
                Ok(()) => return,
                Err(error) => error,
            },
            Err(error) => error,
        };
        tracing::warn!(error = %lost, "push.consume");
        if !pause.wait(&stop).await {
            return;
        }
    }
}

async fn consume(
    parts: &Arc<Parts>,
    consumer: &mut dyn PushConsumer,
    stop: &CancellationToken,
) -> Result<(), QueueError> {
    loop {
        let deliveries = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            deliveries = consumer.receive(TOGETHER) => deliveries?,
        };
        let tags: Vec<u64> = deliveries.iter().map(|delivery| delivery.tag).collect();
        if !work(parts, deliveries, stop).await {
            return Ok(());
        }
        consumer.acknowledge(&tags).await?;
        let consumed = &parts.metrics.queues.consumed_messages_total;
        consumed.get(ConsumedQueue::Push, ConsumeResult::Stored).inc_by(tags.len() as u64);
    }
}

/// Works on some jobs until all that follows is safe; `false` when the stage stops before.
async fn work(parts: &Arc<Parts>, deliveries: Vec<PushDelivery>, stop: &CancellationToken) -> bool {
    let mut jobs = Vec::with_capacity(deliveries.len());
    for delivery in &deliveries {
        match Job::decode(&delivery.payload) {
            Ok(job) => jobs.push(job),
            Err(error) => {
                tracing::error!(%error, "push.poison");
                let dead = &parts.metrics.queues.dead_lettered_messages_total;
                dead.get(ConsumedQueue::Push, DeadReason::Undecodable).inc();
                if !parts.bury(delivery.payload.clone(), &error.to_string(), PushLane::Work, stop).await {
                    return false;
                }
            }
        }
    }
    probe(parts, &jobs);
    let mut pause = Pause::default();
    let mut plan = loop {
        match decide(parts, &jobs).await {
            Ok(plan) => break plan,
            // What the store refuses today it may take after a repair: the jobs wait, as messages do.
            Err(error) => tracing::warn!(%error, "push.decide"),
        }
        if !pause.wait(stop).await {
            return false;
        }
    };
    if !parts.put(plan.take_jobs(), stop).await {
        return false;
    }
    let keys: Vec<ScreenKey> = plan.read.iter().map(|(key, _)| key.clone()).collect();
    let through: BTreeMap<ScreenKey, Seq> = plan.read.drain(..).collect();
    let read = board::change(&*parts.board, &keys, |key, screens| {
        screens.read(through.get(key).copied().unwrap_or_default());
    });
    if let Err(error) = read.await {
        tracing::warn!(%error, "push.read");
    }
    parts.trace(&plan.traces).await;
    true
}

/// Makes the test pushes among these beside everything else: nobody is to wait for their answers but who asked for them.
fn probe(parts: &Arc<Parts>, jobs: &[Job]) {
    for job in jobs {
        let Job::Probe(job) = job else { continue };
        let (parts, job) = (Arc::clone(parts), job.clone());
        tokio::spawn(async move {
            let made = probe::perform(&job, &*parts.store, &*parts.fanout, &parts.providers).await;
            if let Err(error) = made {
                tracing::warn!(%error, "push.probe");
            }
        });
    }
}

/// Somebody who may have to be told of a message.
struct Case<'a> {
    notice: &'a Notice,
    /// `None`: everybody in the conversation.
    users: Option<Vec<UserId>>,
}

async fn decide(parts: &Parts, jobs: &[Job]) -> Result<Plan, StoreError> {
    let (mut cases, mut reads) = (Vec::new(), Vec::new());
    for job in jobs {
        match job {
            Job::Stored(notices) => {
                // Who sends has read what came before.
                reads.extend(notices.iter().map(|notice| ReadElsewhere {
                    conversation_id: notice.conversation_id,
                    user_id: notice.sender_id.clone(),
                    seq: notice.seq,
                    on: None,
                    at_ms: notice.stored_ms,
                }));
                cases.extend(notices.iter().map(|notice| Case {
                    notice,
                    users: notice.peer.as_ref().map(|peer| vec![peer.clone()]),
                }));
            }
            Job::Waiting(waiting) => cases.extend(
                waiting.iter().map(|case| Case { notice: &case.notice, users: Some(case.users.clone()) }),
            ),
            Job::Read(read) => reads.push(read.clone()),
            // Done beside: see `probe`.
            Job::Probe(_) => {}
            // A provider's: it came here only by a replay of a dead letter to the wrong queue.
            Job::Ring(_) | Job::Summary(_) | Job::Clear(_) => {
                tracing::error!("push.decide: a job of a provider's lane is dropped");
            }
        }
    }
    let mut plan = Plan::default();
    read::clear(parts, reads, &mut plan).await?;
    let mut deciding = Deciding { parts, now: Timestamp::now(), known: Knowledge::default(), plan };
    let cases = deciding.first_look(cases).await;
    deciding.second_look(&cases).await?;
    Ok(deciding.plan)
}

struct Deciding<'a> {
    parts: &'a Parts,
    now: Timestamp,
    known: Knowledge,
    plan: Plan,
}

/// A phone that is to ring.
struct Ringing<'a> {
    notice: &'a Notice,
    user: &'a UserId,
    device: &'a Device,
}

impl Deciding<'_> {
    /// Sorts out who acknowledged already and who still has time for it: most, and none of them costs the store a question.
    async fn first_look<'n>(&mut self, cases: Vec<Case<'n>>) -> Vec<Case<'n>> {
        let named = cases.iter().filter_map(|case| Some((case.notice, case.users.as_ref()?)));
        let pairs: Vec<_> = named
            .flat_map(|(notice, users)| users.iter().map(|user| (user.clone(), notice.conversation_id)))
            .collect();
        self.known.ask_fanout(&*self.parts.fanout, pairs).await;
        let mut left = Vec::new();
        for Case { notice, users } in cases {
            let Some(users) = users else {
                left.push(Case { notice, users: None });
                continue;
            };
            let users: Vec<UserId> = users
                .into_iter()
                .filter(|user| decide::concerns(notice, user))
                .filter(|user| !self.is_settled(notice, user, None))
                .collect();
            if !users.is_empty() {
                left.push(Case { notice, users: Some(users) });
            }
        }
        left
    }

    /// Whether the user acknowledged, or is still waited for, which is planned then.
    fn is_settled(&mut self, notice: &Notice, user: &UserId, recipient: Option<&Recipient>) -> bool {
        let known = self.known.acknowledged(user, notice.conversation_id);
        if decide::reached_everywhere(known, notice.seq) {
            self.count(Silence::Acknowledged.decision());
            return true;
        }
        let settings = &self.parts.settings;
        let wait = decide::patience(self.known.attention(user), recipient, &settings.patience);
        if wait.is_zero() {
            return false;
        }
        let until = notice.stored_at().plus(wait + settings.grace);
        if until <= self.now {
            return false;
        }
        self.plan.wait(until, notice, user.clone());
        true
    }

    /// Asks the store about those who are left, and plans what rings.
    async fn second_look(&mut self, cases: &[Case<'_>]) -> Result<(), StoreError> {
        let mut whom = Wanted::new();
        for case in cases {
            let wanted = whom.entry(case.notice.conversation_id).or_insert_with(|| Some(BTreeSet::new()));
            match (&case.users, wanted.as_mut()) {
                (Some(users), Some(wanted)) => wanted.extend(users.iter().cloned()),
                (None, _) => *wanted = None,
                (Some(_), None) => {}
            }
        }
        let entries = cases.iter().map(|case| (case.notice.conversation_id, case.notice.seq)).collect();
        let mut known = std::mem::take(&mut self.known);
        let parts = self.parts;
        known.ask_store(&*parts.store, whom, entries).await?;
        // Once more, and after the store, so that what is acknowledged meanwhile counts.
        let recipients: Vec<_> = known.recipients().collect();
        known.ask_fanout(&*parts.fanout, recipients).await;
        self.known = known;
        let mut ringing = Vec::new();
        for case in cases {
            self.case(case, &mut ringing);
        }
        self.spend(ringing).await;
        Ok(())
    }

    fn case<'n>(&mut self, case: &Case<'n>, ringing: &mut Vec<(&'n Notice, UserId, Device)>) {
        let notice = case.notice;
        let Some(ringable) = self.known.ringable(notice.conversation_id) else { return };
        let kind = ringable.kind;
        let recipients: Vec<Recipient> = match &case.users {
            None => ringable.recipients.clone(),
            Some(users) => {
                let here = |user: &&UserId| ringable.recipients.iter().any(|one| one.user_id == **user);
                let without = users.iter().filter(|user| !here(user)).count();
                (0..without).for_each(|_| self.count(PushDecision::NoDevice));
                ringable.recipients.iter().filter(|one| users.contains(&one.user_id)).cloned().collect()
            }
        };
        for recipient in recipients.iter().filter(|one| decide::concerns(notice, &one.user_id)) {
            if self.is_settled(notice, &recipient.user_id, Some(recipient)) {
                continue;
            }
            let facts = Facts {
                notice,
                kind,
                entry: self.known.entry(notice.conversation_id, notice.seq),
                recipient,
                acknowledged: self.known.acknowledged(&recipient.user_id, notice.conversation_id),
                now: self.now,
            };
            if let Err(silence) = facts.judge(self.parts.settings.patience.expiry) {
                let decision = silence.decision();
                self.count(decision);
                for device in &recipient.devices {
                    self.plan.traces.push(trace(notice, &recipient.user_id, device, decision, self.now));
                }
                continue;
            }
            let (reached, not): (Vec<&Device>, Vec<&Device>) =
                recipient.devices.iter().partition(|device| facts.reaches(&device.device_id));
            reached.iter().for_each(|_| self.count(Silence::Acknowledged.decision()));
            ringing.extend(not.into_iter().map(|device| (notice, recipient.user_id.clone(), device.clone())));
        }
    }

    /// Rings each phone for as many messages as it may; the others go into its summary.
    async fn spend(&mut self, ringing: Vec<(&Notice, UserId, Device)>) {
        let mut by_screen: BTreeMap<ScreenKey, Vec<Ringing<'_>>> = BTreeMap::new();
        for (notice, user, device) in &ringing {
            let key = ScreenKey { user_id: user.clone(), conversation_id: notice.conversation_id };
            by_screen.entry(key).or_default().push(Ringing { notice, user, device });
        }
        let keys: Vec<ScreenKey> = by_screen.keys().cloned().collect();
        let (rules, now) = (self.parts.settings.rules, self.now);
        let spent = board::change(&*self.parts.board, &keys, |key, screens| {
            let ringing = by_screen.get(key).map_or(&[][..], Vec::as_slice);
            let spend = |one: &Ringing<'_>| {
                // What shows nothing disturbs nobody.
                if one.notice.push.as_ref().is_some_and(|push| push.silent) {
                    return Budget::Alone;
                }
                screens.of(&one.device.device_id).spend(one.notice.seq, now, rules)
            };
            ringing.iter().map(spend).collect::<Vec<_>>()
        });
        let spent = match spent.await {
            Ok(spent) => spent,
            Err(error) => {
                tracing::warn!(%error, "push.budget: nobody counts alerts while the board is away");
                by_screen.values().map(|ringing| vec![Budget::Alone; ringing.len()]).collect()
            }
        };
        for (ringing, budgets) in by_screen.values().zip(spent) {
            for (one, budget) in ringing.iter().zip(budgets) {
                self.plan_one(one, budget);
            }
        }
    }

    fn plan_one(&mut self, one: &Ringing<'_>, budget: Budget) {
        let lane = self.parts.providers.lane(one.device.platform);
        let phone = Phone { user_id: one.user.clone(), device_id: one.device.device_id.clone() };
        match budget {
            Budget::Alone => self.plan.ring(lane, one.notice, phone),
            Budget::Summed { due } => {
                self.count(PushDecision::Budget);
                let decision = PushDecision::Budget;
                self.plan.traces.push(trace(one.notice, one.user, one.device, decision, self.now));
                if let Some(due) = due {
                    let (conversation_id, since_ms) = (one.notice.conversation_id, self.now.as_millis());
                    let summary = Summary { conversation_id, phone, since_ms, attempts: 0 };
                    self.plan.summarise(lane, due, summary);
                }
            }
        }
    }

    fn count(&self, decision: PushDecision) {
        self.parts.metrics.push.push_decisions_total.get(decision).inc();
    }
}

/// A phone that does not ring for a message, and why.
pub(in crate::push) fn trace(
    notice: &Notice,
    user: &UserId,
    device: &Device,
    decision: PushDecision,
    now: Timestamp,
) -> PushTrace {
    use crate::telemetry::metrics::family::Label as _;
    PushTrace {
        conversation_id: notice.conversation_id,
        seq: notice.seq,
        user_id: user.clone(),
        device_id: device.device_id.clone(),
        decision: decision.value().to_owned(),
        decided_at: now,
        provider: None,
        attempts: 0,
        answered_at: None,
        status: None,
        answer: None,
    }
}
