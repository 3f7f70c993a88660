//! Sending a batch of events: who lives and where they are for, then one message a gateway.

use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::RedisFanout;
use super::codec::{self, Payloads};
use super::lease::Living;
use super::routes::{Found, Key, Lookup, read_routes};
use crate::fanout::FanoutError;
use crate::model::{Event, GatewayId, Target};

impl RedisFanout {
    /// Two round trips, or three when the number of gateways just grew from one; each within the time of a command.
    ///
    /// Who lives is read anew every time, after the caller committed: a gateway that is not among them, or whose route is not, took its
    /// lease and registered after the commit, so the heads that it reads afterwards know of these events.
    pub(super) async fn publish_batch(&self, events: Vec<Event>) -> Result<(), FanoutError> {
        if events.is_empty() {
            return Ok(());
        }
        let several = self.shared.several.load(Ordering::Relaxed);
        let (living, found) = if several {
            let (living, found) = self.look_up(&events).await?;
            (living, Some(found))
        } else {
            let answers = self.send(&[self.ask_living()]).await?;
            (answers.first().map(Living::read).unwrap_or_default(), None)
        };
        let mail = match living.gateways() {
            [] => return Ok(()),
            // It ignores what is not for its sockets, and the look-ups cost more than that.
            [only] => {
                self.shared.several.store(false, Ordering::Relaxed);
                vec![(*only, everything(&events, *only))]
            }
            _ => {
                self.shared.several.store(true, Ordering::Relaxed);
                let (living, found) = match found {
                    Some(found) => (living, found),
                    None => self.look_up(&events).await?,
                };
                sort(&events, &living, &found)
            }
        };
        let publication = |(gateway, payload)| self.publication(gateway, payload);
        let each = |(gateway, payloads): (GatewayId, Vec<Bytes>)| {
            payloads.into_iter().map(move |payload| (gateway, payload))
        };
        let calls: Vec<_> = mail.into_iter().flat_map(each).map(publication).collect();
        if !calls.is_empty() {
            self.send(&calls).await?;
        }
        Ok(())
    }

    async fn look_up<'a>(&self, events: &'a [Event]) -> Result<(Living, Found<'a>), FanoutError> {
        let mut lookup = Lookup::default();
        for event in events {
            keys(&event.target, |key| lookup.add(key));
        }
        let mut calls = Vec::with_capacity(1 + lookup.len());
        calls.push(self.ask_living());
        lookup.ask(self.keys(), &mut calls);
        let answers = self.send(&calls).await?;
        read_routes(lookup, &answers)
    }
}

/// The routes by which a target is found.
fn keys<'a>(target: &'a Target, mut add: impl FnMut(Key<'a>)) {
    match target {
        Target::Users(users) => users.iter().for_each(|user| add(Key::User(user))),
        Target::Group(group, users) => {
            add(Key::Group(*group));
            users.iter().for_each(|user| add(Key::User(user)));
        }
        Target::Watchers(user) => add(Key::Watchers(user)),
        Target::Gateway(_) | Target::Everyone => {}
    }
}

fn everything(events: &[Event], only: GatewayId) -> Vec<Bytes> {
    let mut payloads = Payloads::default();
    let mut bytes = Vec::new();
    for event in events {
        if !matches!(event.target, Target::Gateway(other) if other != only) {
            bytes.clear();
            codec::encode(event, &mut bytes);
            payloads.push(&bytes);
        }
    }
    payloads.finish()
}

/// Which events go to which living gateway. An event is encoded once.
fn sort(events: &[Event], living: &Living, found: &Found<'_>) -> Vec<(GatewayId, Vec<Bytes>)> {
    let mut mail: Vec<Payloads> = living.gateways().iter().map(|_| Payloads::default()).collect();
    let (mut places, mut bytes) = (Vec::new(), Vec::new());
    for event in events {
        places.clear();
        match event.target {
            Target::Everyone => places.extend(0..mail.len()),
            Target::Gateway(gateway) => places.extend(living.place_of(gateway)),
            Target::Users(_) | Target::Group(..) | Target::Watchers(_) => keys(&event.target, |key| {
                places.extend(found.of(key).filter_map(|gateway| living.place_of(gateway)));
            }),
        }
        places.sort_unstable();
        places.dedup();
        if places.is_empty() {
            continue;
        }
        bytes.clear();
        codec::encode(event, &mut bytes);
        for place in &places {
            mail[*place].push(&bytes);
        }
    }
    living.gateways().iter().copied().zip(mail.into_iter().map(Payloads::finish)).collect()
}
