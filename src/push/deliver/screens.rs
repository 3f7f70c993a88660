//! What the board says of pushes that are looked at: which of them were delivered already, and what summaries tell of.

use std::collections::BTreeMap;
use std::time::Duration;

use super::item::copies;
use super::{Item, Lane};
use crate::model::{Seq, Timestamp};
use crate::push::board::{self, Flush, ScreenKey, Screens};

/// A summary's attempt while the board is away.
const BOARD_AWAY: Duration = Duration::from_secs(1);

/// Which look it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    /// A job came from the queue.
    First,
    /// Its turn at the provider has come, long after.
    Again,
}

/// What the board says of an item.
#[derive(Clone)]
pub(super) enum OnScreen {
    Open,
    /// Nothing is to be sent: another job asks the provider to, or it took what shows nothing.
    Done,
    /// The provider took it already and the phone shows it, this seq and perhaps more.
    Shown(Seq),
    /// Of a summary: what it would tell of.
    Tell(Vec<Seq>),
    Later(Timestamp),
}

/// In the order of the items.
pub(super) async fn ask(lane: &Lane, items: &[Item], round: Round, now: Timestamp) -> Vec<OnScreen> {
    let mut by_key: BTreeMap<ScreenKey, Vec<usize>> = BTreeMap::new();
    for (place, item) in items.iter().enumerate() {
        if !matches!(item, Item::Clear(_)) {
            by_key.entry(item.screen()).or_default().push(place);
        }
    }
    let keys: Vec<ScreenKey> = by_key.keys().cloned().collect();
    // A job whose publish was repeated is here twice, with one claim.
    let copies = copies(items);
    let interval = lane.parts.settings.rules.interval;
    let asked = board::change(&*lane.parts.board, &keys, |key, screens| {
        let places = by_key.get(key).map_or(&[][..], Vec::as_slice);
        let answer = |place: &usize| match &items[*place] {
            Item::Ring { .. } if copies.contains(place) => OnScreen::Done,
            item => of(item, screens, round, now, interval),
        };
        places.iter().map(answer).collect::<Vec<_>>()
    });
    let mut on_screen = vec![OnScreen::Open; items.len()];
    match asked.await {
        Ok(answers) => {
            let answers = by_key.into_values().zip(answers);
            for (place, answer) in answers.flat_map(|(places, answers)| places.into_iter().zip(answers)) {
                on_screen[place] = answer;
            }
        }
        Err(error) => {
            tracing::warn!(%error, "push.board: what was delivered before may be delivered again");
            for (place, item) in items.iter().enumerate() {
                if matches!(item, Item::Summary { .. }) {
                    on_screen[place] = OnScreen::Later(now.plus(BOARD_AWAY));
                }
            }
        }
    }
    on_screen
}

fn of(item: &Item, screens: &mut Screens, round: Round, now: Timestamp, interval: Duration) -> OnScreen {
    match item {
        Item::Ring { notice, phone, claim, .. } => {
            let screen = screens.of(&phone.device_id);
            if screen.has_delivered(notice.seq) {
                return if screen.shows(notice.seq) { OnScreen::Shown(notice.seq) } else { OnScreen::Done };
            }
            if screen.claim(notice.seq, *claim) { OnScreen::Open } else { OnScreen::Done }
        }
        Item::Summary { summary, .. } => {
            let screen = screens.of(&summary.phone.device_id);
            let flushed = match round {
                Round::First => screen.flush(now, interval),
                // This version was begun by the first look.
                Round::Again => Flush::Now(screen.untold()),
            };
            match flushed {
                Flush::Later(due) => OnScreen::Later(due),
                Flush::Now(seqs) if seqs.is_empty() => {
                    screen.first_summed().map_or(OnScreen::Done, OnScreen::Shown)
                }
                Flush::Now(seqs) => OnScreen::Tell(seqs),
            }
        }
        Item::Clear(_) => OnScreen::Open,
    }
}

/// A ring that rings nobody, on its phone: whoever asks next about the message may ring for it.
pub(super) async fn release<'a>(lane: &Lane, rings: impl IntoIterator<Item = &'a Item>) {
    let mut by_key: BTreeMap<ScreenKey, Vec<&Item>> = BTreeMap::new();
    for item in rings {
        by_key.entry(item.screen()).or_default().push(item);
    }
    let keys: Vec<ScreenKey> = by_key.keys().cloned().collect();
    let released = board::change(&*lane.parts.board, &keys, |key, screens| {
        for item in by_key.get(key).into_iter().flatten() {
            item.release(screens);
        }
    });
    if let Err(error) = released.await {
        tracing::warn!(%error, "push.release: a claim stays until its screen is forgotten");
    }
}
