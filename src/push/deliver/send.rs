//! Sending what is ready, many at a time, and settling the answers meanwhile.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::look::Ready;
use super::screens::Round;
use super::settle::Answered;
use super::{Bounds, Item, Lane};
use crate::push::limits::Turn;
use crate::telemetry::metrics::PushDecision;

/// Answers that are settled together.
const TOGETHER: usize = 64;
/// Pushes that are looked at again together.
const LOOKED_AT_TOGETHER: usize = 256;
/// What was looked at longer ago is looked at again when its turn has come. While nothing has to wait no push is looked at twice, and
/// under load a look is for many.
pub(super) const LOOK_HOLDS: Duration = Duration::from_secs(2);

/// What came of a push that was ready.
struct Came {
    place: usize,
    /// `None`: nobody wants it any more.
    answered: Option<Answered>,
}

/// A push whose turn has come.
type InTurn<'a> = (Turn<'a>, Ready);

impl Lane {
    /// Sends what is ready since this look and settles each answer, and tells `settled` the place of each that is done with; of less than
    /// all only when it was told to leave.
    pub(super) async fn send(
        &self,
        ready: Vec<Ready>,
        looked_at: Instant,
        bounds: &Bounds,
        settled: impl FnMut(usize) + Send,
    ) {
        // Room for all that can come, so that no request waits for an answer to be settled.
        let (tell, came) = mpsc::channel(ready.len().max(1));
        let asking = pin!(self.ask_all(ready, looked_at, bounds, tell));
        let settling = pin!(self.settle_all(came, bounds, settled));
        // It ends first only when the stage stops: then nobody waits for what is under way.
        if let Either::Left(((), settling)) = select(asking, settling).await {
            settling.await;
        }
    }

    /// Asks the provider for each when its turn has come. Told to leave it makes no new request and waits for those under way.
    async fn ask_all(
        &self,
        ready: Vec<Ready>,
        looked_at: Instant,
        bounds: &Bounds,
        tell: mpsc::Sender<Came>,
    ) {
        // The provider's own limits are shared by all groups; this one only bounds what one group waits for.
        let turns = stream::iter(ready).map(|ready| self.in_turn(ready));
        let turns = turns.buffer_unordered(self.parts.settings.concurrency);
        let mut turns = pin!(turns.take_until(bounds.leave.cancelled()).fuse());
        let (mut requests, mut looks) = (FuturesUnordered::new(), FuturesUnordered::new());
        let mut old: Vec<InTurn<'_>> = Vec::new();
        loop {
            if bounds.leave.is_cancelled() {
                old.clear();
            }
            if looks.is_empty() && !old.is_empty() {
                let some = old.drain(..old.len().min(LOOKED_AT_TOGETHER)).collect();
                looks.push(self.look_once_more(some, bounds));
            }
            let came = tokio::select! {
                Some((turn, ready)) = turns.next() => {
                    if looked_at.elapsed() < LOOK_HOLDS {
                        requests.push(self.ask(turn, ready));
                    } else {
                        old.push((turn, ready));
                    }
                    continue;
                }
                Some((wanted, gone)) = looks.next() => {
                    let wanted = wanted.into_iter().filter(|_| !bounds.leave.is_cancelled());
                    requests.extend(wanted.map(|(turn, ready)| self.ask(turn, ready)));
                    gone
                }
                Some(answered) = requests.next() => {
                    vec![Came { place: answered.ready.place, answered: Some(answered) }]
                }
                else => return,
            };
            for came in came {
                // Nobody settles any more: the stage stops.
                if tell.send(came).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn in_turn(&self, ready: Ready) -> InTurn<'_> {
        (self.provider.turn().await, ready)
    }

    /// What is still wanted of these, as it is now, and what is done with. Told to leave, nothing.
    async fn look_once_more<'a>(
        &self,
        old: Vec<InTurn<'a>>,
        bounds: &Bounds,
    ) -> (Vec<InTurn<'a>>, Vec<Came>) {
        let items: Vec<Item> = old.iter().map(|(_, ready)| ready.item.clone()).collect();
        let mut old: Vec<Option<InTurn<'a>>> = old.into_iter().map(Some).collect();
        let Some(wanted) = self.look(&items, Round::Again, bounds).await else {
            return (Vec::new(), Vec::new());
        };
        let again = |fresh: Ready| {
            let (turn, before) = old.get_mut(fresh.place)?.take()?;
            Some((turn, Ready { place: before.place, ..fresh }))
        };
        let wanted: Vec<InTurn<'a>> = wanted.into_iter().filter_map(again).collect();
        let gone = old.into_iter().flatten().map(|(_, before)| Came { place: before.place, answered: None });
        (wanted, gone.collect())
    }

    async fn ask(&self, turn: Turn<'_>, ready: Ready) -> Answered {
        if ready.item.attempts() == 0 {
            self.parts.metrics.push.push_decisions_total.get(PushDecision::Sent).inc();
        }
        let began = Instant::now();
        let delivery = turn.deliver(&ready.notification).await;
        let seconds = self.parts.metrics.push.push_request_seconds.get(self.provider_label());
        seconds.observe(began.elapsed().as_secs_f64());
        Answered { ready, delivery }
    }

    async fn settle_all(
        &self,
        mut coming: mpsc::Receiver<Came>,
        bounds: &Bounds,
        mut settled: impl FnMut(usize) + Send,
    ) {
        let mut some = Vec::with_capacity(TOGETHER);
        while coming.recv_many(&mut some, TOGETHER).await > 0 {
            let places: Vec<usize> = some.iter().map(|came| came.place).collect();
            let answers: Vec<Answered> = some.drain(..).filter_map(|came| came.answered).collect();
            if !answers.is_empty() && !self.settle(&answers, &bounds.stop).await {
                return;
            }
            places.into_iter().for_each(&mut settled);
        }
    }
}
