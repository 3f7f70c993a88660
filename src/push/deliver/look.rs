//! The look just before sending: who has acknowledged, read, muted, left or signed out meanwhile, what the message is now, what
//! the badge is now.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::screens::{self, OnScreen, Round};
use super::{Item, Lane};
use crate::auth::AckScope;
use crate::model::{ConversationId, ConversationKind, Device, Entry, Seq, Timestamp, UserId};
use crate::push::decide::{self, Facts, Silence};
use crate::push::job::{Clear, Notice, Phone, Summary};
use crate::push::payload::{self, Content, Occasion, ServerPush, Why};
use crate::push::provider::{Notification, Secret, Target, notification_id};
use crate::push::stage::{Knowledge, trace};
use crate::queue::PushJob;
use crate::store::{PushTrace, Recipient, Ringable, StoreError};
use crate::telemetry::metrics::PushDecision;

/// A push that is to go out now.
pub(super) struct Ready {
    pub item: Item,
    pub device: Device,
    pub notification: Notification,
    /// What the phone will show by it.
    pub tells: Vec<Seq>,
    /// Which of the items that were looked at.
    pub place: usize,
}

/// What came of a look: what is in none of these is not wanted any more.
#[derive(Default)]
pub(super) struct Looked {
    pub ready: Vec<Ready>,
    /// What has to wait, or belongs to another lane.
    pub jobs: Vec<PushJob>,
    pub traces: Vec<PushTrace>,
}

/// Messages of one summary that are looked at one by one; what came before them counts as it did when it came.
const LOOKED_AT: usize = 500;

fn latest(seqs: &[Seq]) -> &[Seq] {
    &seqs[seqs.len().saturating_sub(LOOKED_AT)..]
}

pub(super) async fn again(lane: &Lane, items: &[Item], round: Round) -> Result<Looked, StoreError> {
    let now = Timestamp::now();
    let screens = screens::ask(lane, items, round, now).await;
    let mut known = Knowledge::default();
    let (mut whom, mut entries) = (BTreeMap::new(), BTreeSet::new());
    let (mut users, mut clearing) = (BTreeSet::new(), BTreeSet::new());
    for (item, on_screen) in items.iter().zip(&screens) {
        users.insert(item.phone().user_id.clone());
        let seqs = match (item, on_screen) {
            (Item::Ring { notice, .. }, OnScreen::Open) => std::slice::from_ref(&notice.seq),
            (Item::Summary { .. }, OnScreen::Tell(seqs)) => latest(seqs),
            (Item::Clear(clear), _) => {
                clearing.insert(clear.phone.user_id.clone());
                continue;
            }
            _ => continue,
        };
        let wanted = whom.entry(item.conversation_id()).or_insert_with(|| Some(BTreeSet::new()));
        wanted.get_or_insert_default().insert(item.phone().user_id.clone());
        entries.extend(seqs.iter().map(|seq| (item.conversation_id(), *seq)));
    }
    let parts = &lane.parts;
    known.ask_store(&*parts.store, whom, entries.clone()).await?;
    // After the store, so that what is acknowledged meanwhile counts.
    let asked: Vec<_> = known.recipients().collect();
    known.ask_fanout(&*parts.fanout, asked).await;
    let senders: BTreeSet<UserId> = entries
        .iter()
        .filter_map(|(conversation, seq)| known.entry(*conversation, *seq))
        .map(|entry| entry.sender_id.clone())
        .collect();
    let (users, clearing): (Vec<_>, Vec<_>) = (users.into_iter().collect(), clearing.into_iter().collect());
    let senders: Vec<UserId> = senders.into_iter().collect();
    let shown: Vec<(ConversationId, UserId)> = items
        .iter()
        .zip(&screens)
        .filter(|(_, on_screen)| matches!(on_screen, OnScreen::Shown(_)))
        .map(|(item, _)| (item.conversation_id(), item.phone().user_id.clone()))
        .collect();
    let (badges, profiles, registered, read) = tokio::try_join!(
        parts.store.badges(&users),
        parts.store.profiles(&senders),
        parts.store.devices_of(&clearing),
        parts.store.read_seqs(&shown),
    )?;
    let mut read = read.into_iter();
    let mut look = Look {
        lane,
        silenced: Vec::new(),
        now,
        known,
        badges: users.into_iter().zip(badges).collect(),
        names: profiles.into_iter().filter_map(|profile| Some((profile.id, profile.display_name?))).collect(),
        registered: clearing.into_iter().zip(registered).collect(),
        looked: Looked::default(),
        place: 0,
    };
    for (place, (item, on_screen)) in items.iter().zip(screens).enumerate() {
        look.place = place;
        match (item, on_screen) {
            (_, OnScreen::Done) => {}
            (_, OnScreen::Later(due)) => {
                look.looked.jobs.push(item.job(item.attempts()).to(lane.lane, Some(due)))
            }
            // Whoever noted that it is shown may have died before they told the phone what was read meanwhile.
            (_, OnScreen::Shown(first)) => {
                if let Some(seq) = read.next().flatten().filter(|read| *read >= first) {
                    look.clear_later(item, seq);
                }
            }
            (Item::Ring { notice, phone, .. }, _) => look.ring(item, notice, phone),
            (Item::Summary { summary, .. }, OnScreen::Tell(seqs)) => look.summary(item, summary, &seqs),
            (Item::Clear(clear), _) => look.clear(item, clear),
            (Item::Summary { .. }, OnScreen::Open) => {}
        }
    }
    let Look { looked, silenced, .. } = look;
    if !silenced.is_empty() {
        screens::release(lane, silenced).await;
    }
    Ok(looked)
}

struct Look<'a> {
    lane: &'a Lane,
    now: Timestamp,
    known: Knowledge,
    badges: HashMap<UserId, i64>,
    names: HashMap<UserId, String>,
    registered: HashMap<UserId, Vec<Device>>,
    looked: Looked,
    /// Rings that nobody is to hear.
    silenced: Vec<&'a Item>,
    /// Of the item that is looked at.
    place: usize,
}

impl<'a> Look<'a> {
    fn ring(&mut self, item: &'a Item, notice: &Notice, phone: &Phone) {
        let Some((ringable, recipient, device)) = self.reachable(item) else { return };
        let entry = self.known.entry(notice.conversation_id, notice.seq).cloned();
        let facts = Facts {
            notice,
            kind: ringable.kind,
            entry: entry.as_ref(),
            recipient: &recipient,
            acknowledged: self.known.acknowledged(&phone.user_id, notice.conversation_id),
            now: self.now,
        };
        let mut verdict = facts.judge(self.lane.parts.settings.patience.expiry);
        if verdict.is_ok() && facts.reaches(&phone.device_id) {
            verdict = Err(Silence::Acknowledged);
        }
        match (verdict, entry) {
            (Ok(()), Some(entry)) => {
                let occasion = self.occasion(&ringable, &recipient, &entry, None);
                let server = notice.push.clone().map(ServerPush::from);
                let content = payload::build(&occasion, &self.lane.parts.settings.style, server.as_ref());
                let user = phone.user_id.as_str();
                let id = notification_id(notice.id.as_uuid(), user, phone.device_id.as_str());
                self.ready(item, device, id, content, vec![notice.seq]);
            }
            (Ok(()), None) => {}
            (Err(silence), _) => {
                self.count(silence.decision());
                self.silenced.push(item);
                if silence == Silence::Read && item.may_be_shown() {
                    self.clear_later(item, recipient.read_seq);
                }
                if silence != Silence::Acknowledged {
                    let trace = trace(notice, &phone.user_id, &device, silence.decision(), self.now);
                    self.looked.traces.push(trace);
                }
            }
        }
    }

    fn summary(&mut self, item: &'a Item, summary: &Summary, seqs: &[Seq]) {
        let Some((ringable, recipient, device)) = self.reachable(item) else { return };
        if self.now.since(item.since()) >= self.lane.parts.settings.patience.expiry {
            return self.count(PushDecision::Expired);
        }
        if decide::is_silenced(&recipient, self.now) {
            return self.count(PushDecision::Muted);
        }
        let phone = &summary.phone;
        let acknowledged = self.known.acknowledged(&phone.user_id, summary.conversation_id);
        let mut new = decide::still_new(&recipient, acknowledged, &phone.device_id, seqs);
        let read = new.is_empty();
        let looked_at = latest(seqs).first().copied().unwrap_or_default();
        new.retain(|seq| {
            let entry = self.known.entry(summary.conversation_id, *seq);
            *seq < looked_at || entry.is_some_and(|entry| decide::is_told(&recipient, entry))
        });
        let last = new.last().and_then(|last| self.known.entry(summary.conversation_id, *last)).cloned();
        let Some(entry) = last else {
            if item.may_be_shown() && seqs.first().is_some_and(|first| *first <= recipient.read_seq) {
                self.clear_later(item, recipient.read_seq);
            }
            return self.count(if read { PushDecision::Read } else { PushDecision::Deleted });
        };
        let occasion = self.occasion(&ringable, &recipient, &entry, Some(new.len()));
        let content = payload::build(&occasion, &self.lane.parts.settings.style, None);
        self.ready(item, device, summary.push_id(&new), content, new);
    }

    /// Read since the provider took it, or may have taken it without anybody knowing.
    fn clear_later(&mut self, item: &Item, seq: Seq) {
        self.looked.jobs.push(item.clear(seq, self.now).to(self.lane.lane, None));
    }

    fn clear(&mut self, item: &Item, clear: &Clear) {
        let devices = self.registered.get(&clear.phone.user_id).map_or(&[][..], Vec::as_slice);
        let device = devices.iter().find(|device| device.device_id == clear.phone.device_id).cloned();
        let Some(device) = device.filter(|one| one.disabled_at.is_none() && one.quarantined_at.is_none())
        else {
            return;
        };
        if self.now.since(item.since()) >= self.lane.parts.settings.patience.expiry
            || self.is_elsewhere(item, &device)
        {
            return;
        }
        let read = u64::try_from(clear.seq.get()).unwrap_or(0);
        let content = payload::clear(clear.conversation_id.as_uuid(), read);
        self.ready(item, device, clear.push_id(), content, Vec::new());
    }

    /// The recipient and their device as they are now, when they can still be reached by this lane.
    fn reachable(&mut self, item: &'a Item) -> Option<(Ringable, Recipient, Device)> {
        let phone = item.phone();
        let found = self.known.ringable(item.conversation_id()).and_then(|ringable| {
            let recipient = self.known.recipient(item.conversation_id(), &phone.user_id)?;
            let device = recipient.devices.iter().find(|device| device.device_id == phone.device_id)?;
            let ringable = Ringable { recipients: Vec::new(), title: ringable.title.clone(), ..*ringable };
            Some((ringable, recipient.clone(), device.clone()))
        });
        match found {
            // Signed out, left, deactivated, disabled.
            None => {
                self.count(PushDecision::NoDevice);
                self.silenced.extend(Some(item).filter(|item| matches!(item, Item::Ring { .. })));
                None
            }
            Some((_, _, device)) if self.is_elsewhere(item, &device) => None,
            found => found,
        }
    }

    /// The device was registered anew for another provider: its lane takes over.
    fn is_elsewhere(&mut self, item: &Item, device: &Device) -> bool {
        let lane = self.lane.parts.providers.lane(device.platform);
        if lane == self.lane.lane {
            return false;
        }
        self.looked.jobs.push(item.job(item.attempts()).to(lane, None));
        true
    }

    fn occasion(
        &self,
        ringable: &Ringable,
        recipient: &Recipient,
        entry: &Entry,
        count: Option<usize>,
    ) -> Occasion {
        let sender = entry.sender_id.as_str().to_owned();
        let why = match (count, ringable.kind) {
            (Some(count), _) => Why::Summary { count: u32::try_from(count).unwrap_or(u32::MAX) },
            (None, ConversationKind::Direct) => Why::Direct,
            (None, _) if entry.body.mentions.contains(&recipient.user_id) => Why::Mention,
            (None, ConversationKind::Group | ConversationKind::Channel) => Why::Group,
        };
        Occasion {
            why,
            conversation_id: entry.conversation_id.as_uuid(),
            conversation_title: ringable.title.clone().filter(|_| ringable.kind != ConversationKind::Direct),
            message_id: entry.id.as_uuid(),
            seq: u64::try_from(entry.seq.get()).unwrap_or(0),
            sender_name: self.names.get(&entry.sender_id).cloned().unwrap_or_else(|| sender.clone()),
            sender_id: sender,
            text: entry.body.text.clone(),
        }
    }

    fn ready(&mut self, item: &Item, device: Device, id: uuid::Uuid, content: Content, tells: Vec<Seq>) {
        let badge = self.badges.get(&item.phone().user_id).copied().unwrap_or(0);
        let expires = item.since().plus(self.lane.parts.settings.patience.expiry);
        let notification = Notification {
            id,
            device: Target::of(&device),
            kind: content.kind,
            badge: Some(u32::try_from(badge).unwrap_or(0)),
            data: content.data,
            ack_token: self.ack_token(item, &tells),
            priority: content.priority,
            expires_at: UNIX_EPOCH + Duration::from_millis(u64::try_from(expires.as_millis()).unwrap_or(0)),
        };
        self.looked.ready.push(Ready { item: item.clone(), device, notification, tells, place: self.place });
    }

    /// With it a notification extension acknowledges what it shows, and nothing else. A push without one rings all the same.
    fn ack_token(&self, item: &Item, tells: &[Seq]) -> Option<Secret> {
        let (tokens, seq) = (self.lane.parts.ack_tokens.as_ref()?, tells.last()?.get());
        let scope = AckScope { conversation_id: item.conversation_id().as_uuid(), seq };
        let phone = item.phone();
        match tokens.mint(phone.user_id.as_str(), phone.device_id.as_str(), scope, SystemTime::now()) {
            Ok(minted) => Some(Secret::new(minted.token)),
            Err(error) => {
                tracing::warn!(%error, "push.ack_token");
                None
            }
        }
    }

    fn count(&self, decision: PushDecision) {
        self.lane.parts.metrics.push.push_decisions_total.get(decision).inc();
    }
}
