//! What the phones of one user show of one conversation.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::Ranges;
use crate::model::{DeviceId, Seq, Timestamp};
use crate::push::job::Claim;

/// Alerts of the last so long count.
const WINDOW: Duration = Duration::from_secs(60);
/// How long it is known which messages were given an alert of their own: a redelivered job gets the same answer.
const REMEMBERED: Duration = Duration::from_secs(10 * 60);
/// Claims that are kept; past it the oldest go.
const CLAIMS: usize = 200;

/// How many alerts there may be.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Alerts a minute; more become a summary.
    pub burst: usize,
    /// Between two versions of a summary.
    pub interval: Duration,
}

/// All phones of a user, one conversation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Screens(BTreeMap<String, Screen>);

/// One phone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Screen {
    /// Messages with an alert of their own, and when that was decided, in ms.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    alone: Vec<(i64, i64)>,
    /// Messages that are told of in the summary only.
    #[serde(skip_serializing_if = "Ranges::is_empty")]
    summed: Ranges,
    /// Alerts that the provider took.
    #[serde(skip_serializing_if = "Ranges::is_empty")]
    delivered: Ranges,
    /// Messages that the phone shows, alone or in a summary, as far as we know.
    #[serde(skip_serializing_if = "Ranges::is_empty")]
    shown: Ranges,
    /// Which job rings for a message; of what was not delivered yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    claimed: Vec<(i64, Claim)>,
    /// What the last push put on the app's icon; under [`super::ScreenKey::of_badges`] only.
    #[serde(skip_serializing_if = "Option::is_none")]
    badge: Option<u32>,
    /// When the next version of the summary is to be sent, in ms; 0 when none is under way.
    summary_due: i64,
    /// When the last version was made, in ms.
    summary_at: i64,
}

/// How a message is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    Alone,
    /// In the summary: a job that sends it is wanted at `due`; `None` when there is one.
    Summed {
        due: Option<Timestamp>,
    },
}

/// What a job that sends the summary finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flush {
    /// Too early: the last version is too young.
    Later(Timestamp),
    /// The messages that it tells of, rising; perhaps none.
    Now(Vec<Seq>),
}

impl Screens {
    /// What cannot be read counts as nothing: a push too many is the harm.
    pub fn decode(bytes: Option<&[u8]>) -> Self {
        bytes.and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default()
    }

    pub fn encode(&self) -> Bytes {
        Bytes::from(serde_json::to_vec(self).expect("names are text, and writing to memory cannot fail"))
    }

    pub fn is_empty(&self) -> bool {
        self.0.values().all(|screen| *screen == Screen::default())
    }

    pub fn of(&mut self, device: &DeviceId) -> &mut Screen {
        self.0.entry(device.as_str().to_owned()).or_default()
    }

    pub fn get(&self, device: &DeviceId) -> Option<&Screen> {
        self.0.get(device.as_str())
    }

    /// The user has read so far, on whichever device.
    pub fn read(&mut self, through: Seq) {
        self.0.values_mut().for_each(|screen| screen.read(through));
    }

    /// The devices whose badge is another one than this.
    pub fn wrong_badges(&self, right: u32) -> Vec<DeviceId> {
        let wrong = self.0.iter().filter(|(_, screen)| screen.badge.is_some_and(|badge| badge != right));
        wrong.filter_map(|(device, _)| DeviceId::parse(device).ok()).collect()
    }

    /// Whether a phone shows a badge that reading could make smaller.
    pub fn has_badge(&self) -> bool {
        self.0.values().any(|screen| screen.badge.is_some_and(|badge| badge > 0))
    }

    /// The devices that show something up to a seq.
    pub fn showing(&self, through: Seq) -> Vec<DeviceId> {
        let shows = |screen: &Screen| screen.shown.first().is_some_and(|first| first <= through);
        let showing = self.0.iter().filter(|(_, screen)| shows(screen));
        showing.filter_map(|(device, _)| DeviceId::parse(device).ok()).collect()
    }
}

impl Screen {
    /// How this message is told. Asked again about one message, it answers the same.
    pub fn spend(&mut self, seq: Seq, now: Timestamp, rules: Rules) -> Budget {
        if self.alone.iter().any(|(known, _)| *known == seq.get()) || self.delivered.contains(seq) {
            return Budget::Alone;
        }
        let ago = |at: i64| now.since(Timestamp::from_millis(at));
        self.alone.retain(|(_, at)| ago(*at) < REMEMBERED);
        let fresh = self.summed.insert(seq);
        if fresh && self.alone.iter().filter(|(_, at)| ago(*at) < WINDOW).count() < rules.burst {
            self.summed.remove(seq);
            self.alone.push((seq.get(), now.as_millis()));
            return Budget::Alone;
        }
        let under_way = self.summary_due != 0;
        if !under_way {
            // A little later, so that it tells of more than one.
            let gathered = now.plus(rules.interval / 2);
            let due = gathered.max(Timestamp::from_millis(self.summary_at).plus(rules.interval));
            self.summary_due = due.as_millis();
        }
        // Asked again, whoever asked first may have died before there was a job.
        let wanted = !under_way || !fresh;
        Budget::Summed { due: wanted.then(|| Timestamp::from_millis(self.summary_due)) }
    }

    /// A version of the summary is to be sent. Messages that come from now on want another one.
    pub fn flush(&mut self, now: Timestamp, interval: Duration) -> Flush {
        let earliest = Timestamp::from_millis(self.summary_at).plus(interval);
        if now < earliest {
            return Flush::Later(earliest);
        }
        self.summary_at = now.as_millis();
        self.summary_due = 0;
        Flush::Now(self.untold())
    }

    /// What a summary would tell of, rising; nothing when the phone shows all of it already, as a job finds that came again.
    pub fn untold(&self) -> Vec<Seq> {
        let told: Vec<Seq> = self.summed.iter().collect();
        if told.iter().all(|seq| self.shown.contains(*seq)) { Vec::new() } else { told }
    }

    /// Whether this job may ring for the message: the first that asks may, and asked again it still may.
    pub fn claim(&mut self, seq: Seq, claim: Claim) -> bool {
        if let Some((_, first)) = self.claimed.iter().find(|(known, _)| *known == seq.get()) {
            return *first == claim;
        }
        if self.claimed.len() >= CLAIMS {
            self.claimed.remove(0);
        }
        self.claimed.push((seq.get(), claim));
        true
    }

    /// Forgets a claim: its job is settled without the provider having taken the alert.
    pub fn release(&mut self, seq: Seq, claim: Claim) {
        self.claimed.retain(|known| *known != (seq.get(), claim));
    }

    /// The provider took a push with this badge.
    pub fn took_badge(&mut self, badge: u32) {
        self.badge = Some(badge);
    }

    fn note_delivered(&mut self, seq: Seq) {
        self.claimed.retain(|(known, _)| *known != seq.get());
        self.delivered.insert(seq);
    }

    /// The provider took the alert of this message.
    pub fn took(&mut self, seq: Seq) {
        self.note_delivered(seq);
        self.shown.insert(seq);
    }

    /// The provider took a push that shows nothing.
    pub fn took_silently(&mut self, seq: Seq) {
        self.note_delivered(seq);
    }

    /// The provider took a summary of these messages.
    pub fn took_summary(&mut self, of: &[Seq]) {
        for seq in of {
            self.shown.insert(*seq);
        }
    }

    pub fn has_delivered(&self, seq: Seq) -> bool {
        self.delivered.contains(seq)
    }

    /// Whether the phone shows the message, as far as we know.
    pub fn shows(&self, seq: Seq) -> bool {
        self.shown.contains(seq)
    }

    /// The first message that the summary tells of.
    pub fn first_summed(&self) -> Option<Seq> {
        self.summed.first()
    }

    /// The user has read so far: nothing of it is shown, and no summary tells of it.
    pub fn read(&mut self, through: Seq) {
        self.shown.remove_through(through);
        self.summed.remove_through(through);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules { burst: 5, interval: Duration::from_secs(2) };

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn spend(screen: &mut Screen, seqs: impl IntoIterator<Item = i64>, now: Timestamp) -> Vec<Budget> {
        seqs.into_iter().map(|seq| screen.spend(Seq::new(seq), now, RULES)).collect()
    }

    fn seqs(numbers: impl IntoIterator<Item = i64>) -> Vec<Seq> {
        numbers.into_iter().map(Seq::new).collect()
    }

    #[test]
    fn more_than_the_burst_in_a_minute_become_a_summary_within_two_seconds() {
        let mut screen = Screen::default();
        assert!(spend(&mut screen, 1..=5, at(0)).iter().all(|budget| *budget == Budget::Alone));
        assert_eq!(spend(&mut screen, [6], at(100)), [Budget::Summed { due: Some(at(1100)) }]);
        assert_eq!(spend(&mut screen, 7..=12, at(200)), [Budget::Summed { due: None }; 6]);
        assert_eq!(screen.flush(at(1100), RULES.interval), Flush::Now(seqs(6..=12)));
        // The next version is at least the interval later, and tells of all of them.
        assert_eq!(spend(&mut screen, [13], at(1200)), [Budget::Summed { due: Some(at(3100)) }]);
        assert_eq!(screen.flush(at(1300), RULES.interval), Flush::Later(at(3100)));
        assert_eq!(screen.flush(at(3100), RULES.interval), Flush::Now(seqs(6..=13)));
    }

    #[test]
    fn a_minute_later_a_message_stands_alone_again() {
        let mut screen = Screen::default();
        spend(&mut screen, 1..=6, at(0));
        assert_eq!(spend(&mut screen, [7], at(60_000)), [Budget::Alone]);
    }

    #[test]
    fn a_job_that_comes_again_gets_the_same_answer_and_its_summary_is_sent() {
        let mut screen = Screen::default();
        spend(&mut screen, 1..=6, at(0));
        assert_eq!(spend(&mut screen, [1, 5], at(9000)), [Budget::Alone; 2]);
        assert_eq!(spend(&mut screen, [6], at(9000)), [Budget::Summed { due: Some(at(1000)) }]);
        let mut again = Screens::decode(Some(&Screens::default().encode()));
        assert!(again.is_empty());
        again.0.insert("phone".to_owned(), screen.clone());
        assert_eq!(Screens::decode(Some(&again.encode())), again);
    }

    #[test]
    fn of_two_jobs_about_a_message_the_first_rings_and_only_it() {
        let (mut screen, seq, first) = (Screen::default(), Seq::new(1), Claim::new());
        assert!(screen.claim(seq, first) && screen.claim(seq, first));
        let second = Claim::new();
        assert!(!screen.claim(seq, second));
        screen.release(seq, second);
        assert!(!screen.claim(seq, second), "it was not its own");
        screen.release(seq, first);
        assert!(screen.claimed.is_empty() && screen.claim(seq, second) && !screen.claim(seq, first));
        screen.took(seq);
        assert!(screen.has_delivered(seq) && screen.claimed.is_empty());
        (2..=500).for_each(|seq| assert!(screen.claim(Seq::new(seq), first)));
        assert_eq!(screen.claimed.len(), CLAIMS);
    }

    #[test]
    fn a_summary_that_tells_of_nothing_new_is_not_sent_again() {
        let mut screen = Screen::default();
        spend(&mut screen, 1..=8, at(0));
        assert_eq!(screen.flush(at(1100), RULES.interval), Flush::Now(seqs(6..=8)));
        // Not delivered: asked again it is to be sent.
        assert_eq!(screen.flush(at(3100), RULES.interval), Flush::Now(seqs(6..=8)));
        screen.took_summary(&seqs(6..=8));
        assert_eq!(screen.flush(at(5100), RULES.interval), Flush::Now(Vec::new()));
    }

    #[test]
    fn a_badge_that_is_not_right_any_more_is_known() {
        let (mut screens, phone) = (Screens::default(), DeviceId::parse("phone").unwrap());
        assert!(!screens.has_badge());
        screens.of(&phone).took_badge(3);
        assert!(screens.has_badge());
        assert_eq!(screens.wrong_badges(2), std::slice::from_ref(&phone));
        assert_eq!(screens.wrong_badges(3), []);
    }

    #[test]
    fn what_was_read_is_neither_shown_nor_told_of_any_more() {
        let (mut screens, phone) = (Screens::default(), DeviceId::parse("phone").unwrap());
        let screen = screens.of(&phone);
        spend(screen, 1..=8, at(0));
        screen.took(Seq::new(1));
        screen.took_summary(&seqs(6..=8));
        assert_eq!(screens.showing(Seq::ZERO), []);
        assert_eq!(screens.showing(Seq::new(1)), std::slice::from_ref(&phone));
        screens.of(&phone).read(Seq::new(7));
        assert_eq!(screens.showing(Seq::new(7)), []);
        spend(screens.of(&phone), [9], at(4000));
        assert_eq!(screens.of(&phone).flush(at(5000), RULES.interval), Flush::Now(seqs([8, 9])));
        assert!(screens.get(&phone).unwrap().has_delivered(Seq::new(1)));
    }
}
