//! What is to be done after some jobs: jobs in turn, and changes that come when those are safe.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{MessageId, Seq, Timestamp};
use crate::push::board::ScreenKey;
use crate::push::job::{Claim, Clear, Job, Notice, Phone, Ring, Summary, Waiting};
use crate::queue::{PushJob, PushLane};
use crate::store::PushTrace;

/// Phones that one job rings at most, and users that one waits for: what a kill repeats, and what one slow answer holds up.
const PHONES_A_JOB: usize = 64;
const WAITING_A_JOB: usize = 500;

#[derive(Default)]
pub struct Plan {
    waiting: BTreeMap<Timestamp, Vec<Waiting>>,
    rings: HashMap<PushLane, Vec<Ring>>,
    /// Whom these ring for what: jobs that came twice are often worked on together.
    ringing: HashSet<(MessageId, Phone)>,
    jobs: Vec<PushJob>,
    pub traces: Vec<PushTrace>,
    /// Screens on which everything up to a seq is read.
    pub read: Vec<(ScreenKey, Seq)>,
}

impl Plan {
    pub fn wait(&mut self, until: Timestamp, notice: &Notice, user: crate::model::UserId) {
        let waiting = self.waiting.entry(until).or_default();
        match waiting.last_mut() {
            Some(last) if last.notice.id == notice.id => last.users.push(user),
            _ => waiting.push(Waiting { notice: notice.clone(), users: vec![user] }),
        }
    }

    pub fn ring(&mut self, lane: PushLane, notice: &Notice, phone: Phone) {
        if !self.ringing.insert((notice.id, phone.clone())) {
            return;
        }
        let rings = self.rings.entry(lane).or_default();
        match rings.last_mut() {
            Some(last) if last.notice.id == notice.id && last.to.len() < PHONES_A_JOB => last.to.push(phone),
            _ => {
                rings.push(Ring { notice: notice.clone(), to: vec![phone], attempts: 0, claim: Claim::new() })
            }
        }
    }

    pub fn summarise(&mut self, lane: PushLane, due: Timestamp, summary: Summary) {
        self.jobs.push(Job::Summary(summary).to(lane, Some(due)));
    }

    pub fn clear(&mut self, lane: PushLane, clear: Clear) {
        self.jobs.push(Job::Clear(clear).to(lane, None));
    }

    /// All jobs that follow.
    pub fn take_jobs(&mut self) -> Vec<PushJob> {
        let mut jobs = std::mem::take(&mut self.jobs);
        for (due, waiting) in std::mem::take(&mut self.waiting) {
            let some = chunks(waiting, WAITING_A_JOB, |waiting| waiting.users.len());
            jobs.extend(some.map(|waiting| Job::Waiting(waiting).to(PushLane::Work, Some(due))));
        }
        for (lane, rings) in std::mem::take(&mut self.rings) {
            let some = chunks(rings, PHONES_A_JOB, |ring| ring.to.len());
            jobs.extend(some.map(|rings| Job::Ring(rings).to(lane, None)));
        }
        jobs
    }
}

/// Pieces of about this size.
fn chunks<T>(items: Vec<T>, most: usize, size: impl Fn(&T) -> usize) -> impl Iterator<Item = Vec<T>> {
    let mut items = items.into_iter().peekable();
    std::iter::from_fn(move || {
        let mut piece = Vec::new();
        let mut filled = 0;
        while let Some(item) = items.next_if(|item| filled == 0 || filled + size(item) <= most) {
            filled += size(&item);
            piece.push(item);
        }
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_as_large_as_they_may_be_and_nothing_is_left_out() {
        let pieces: Vec<Vec<usize>> = chunks(vec![30, 30, 10, 64, 100, 1], 64, |size| *size).collect();
        assert_eq!(pieces, [vec![30, 30], vec![10], vec![64], vec![100], vec![1]]);
    }
}
