//! Open-loop sending: every send has its time, fixed before the run, whatever the server does.
//!
//! A thread sleeps until a send is due and wakes the worker, because the runtime's own timer
//! counts in whole milliseconds. Above [`BATCHED_ABOVE`] a second the schedule itself is in
//! milliseconds: all sends of one are due at its end.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::thread;
use std::time::Instant;

use tokio::sync::Notify;

use super::inbound::write_send;
use super::lock;
use super::session::Outgoing;
use super::worker::{Window, Worker};

/// Sends a second of one thread above which they are due once a millisecond.
const BATCHED_ABOVE: f64 = 1000.0;
/// Sends that one client keeps while it is away; more are counted as unsent.
const KEPT_WHILE_AWAY: usize = 1000;

/// The times of one thread's sends.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    from_us: u64,
    until_us: u64,
    /// Sends a second.
    rate: f64,
}

impl Schedule {
    /// When send number `count` is due; `None` after the end.
    fn due(&self, count: u64) -> Option<u64> {
        let exact = count as f64 / self.rate * 1e6;
        let offset = if self.rate > BATCHED_ABOVE { (exact as u64 / 1000 + 1) * 1000 } else { exact as u64 };
        let due = self.from_us + offset;
        (due < self.until_us).then_some(due)
    }
}

/// Sends this thread's part of the window's messages.
pub async fn run(worker: Rc<Worker>, window: Window) {
    let plan = &worker.shared.plan;
    let turns: Vec<(u32, u32)> = plan
        .turns
        .iter()
        .copied()
        .filter(|(user, _)| worker.shared.thread_of(*user) == worker.thread)
        .collect();
    let part = turns.len() as f64 / plan.turns.len().max(1) as f64;
    let rate = worker.shared.scenario.rate * plan.share * part;
    if turns.is_empty() || rate <= 0.0 {
        return;
    }
    let schedule = Schedule { from_us: window.from_us, until_us: window.until_us, rate };
    let wake = Arc::new(Notify::new());
    let alarm = alarm(schedule, worker.shared.clock, Arc::clone(&wake));
    let mut count = 0;
    while let Some(due) = schedule.due(count) {
        let now = worker.shared.clock.now_us();
        if due > now {
            wake.notified().await;
            if worker.is_stopping() {
                break;
            }
            continue;
        }
        let (user, conversation) = turns[(count % turns.len() as u64) as usize];
        send(&worker, user, conversation, due);
        count += 1;
        // A generator that is behind must still read, or it measures itself.
        if count.is_multiple_of(256) {
            tokio::task::yield_now().await;
        }
    }
    drop(wake);
    drop(alarm);
}

/// Wakes the worker whenever something is due; ends with the schedule or its listener.
fn alarm(schedule: Schedule, clock: crate::clock::Clock, wake: Arc<Notify>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        let mut count = 0;
        while let Some(due) = schedule.due(count) {
            let span = clock.instant(due).saturating_duration_since(Instant::now());
            if !span.is_zero() {
                thread::sleep(span);
            }
            if Arc::strong_count(&wake) == 1 {
                return;
            }
            wake.notify_one();
            // The next one that is due later than this.
            let behind = (clock.now_us().max(due) - schedule.from_us) as f64 / 1e6;
            count = ((behind * schedule.rate) as u64).max(count + 1);
        }
        wake.notify_one();
    })
}

fn send(worker: &Worker, user: u32, conversation: u32, due_us: u64) {
    let shared = &worker.shared;
    let client = &mut *worker.clients[worker.place_of(user)].borrow_mut();
    let session = &mut client.session;
    let now = shared.clock.now_us();
    let mut tally = worker.tally();
    tally.lag.record(now.saturating_sub(due_us));
    if session.outstanding.len() >= KEPT_WHILE_AWAY {
        tally.totals.unsent += 1;
        return;
    }
    let mut checker = shared.checker();
    let key = shared.conversations[conversation as usize];
    let client_id = checker.sent(session.key, session.socket, key, due_us);
    tally.totals.sent += 1;
    drop(tally);
    if !shared.is_direct
        && let Some(mark) = crate::client_id::Mark::decode(client_id)
    {
        let others = shared.listeners[conversation as usize].saturating_sub(1);
        lock(&shared.incomplete).insert(mark.index, others);
    }
    let written = session.ready;
    session.outstanding.push_back(Outgoing { conversation, client_id, written });
    if !written {
        return;
    }
    write_send(session, shared, &checker, conversation, client_id);
    drop(checker);
    let Some(stream) = client.stream.as_mut() else {
        return;
    };
    // With a waker that does nothing: what does not fit now is the client's task's to finish.
    let mut context = Context::from_waker(Waker::noop());
    let _ = stream.poll_flush_from(&mut context, &mut session.outbox);
    if !session.outbox.is_empty()
        && let Some(waker) = session.waker.take()
    {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_schedule_is_exact_and_a_fast_one_is_in_milliseconds() {
        let slow = Schedule { from_us: 1000, until_us: 10_001_000, rate: 100.0 };
        assert_eq!(slow.due(3), Some(31_000));
        assert_eq!(slow.due(1000), None);
        let fast = Schedule { from_us: 0, until_us: 1_000_000, rate: 4000.0 };
        let first: Vec<u64> = (0..8).filter_map(|count| fast.due(count)).collect();
        assert_eq!(first, [1000, 1000, 1000, 1000, 2000, 2000, 2000, 2000]);
    }
}
