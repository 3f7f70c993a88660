//! Users, groups, events, and waiting for them.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tidings::fanout::{Fanout, FanoutError, Subscription};
use tidings::model::{ConversationId, Event, EventBody, Target, UserId};
use tokio::time::timeout;

/// Far more than any of it takes, also beside a build.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub fn user(name: &str) -> UserId {
    UserId::parse(name).expect("a good name")
}

pub fn users<const N: usize>(names: [&str; N]) -> [UserId; N] {
    names.map(user)
}

pub fn group() -> ConversationId {
    ConversationId::new()
}

/// An event that says `text`.
pub fn saying(text: &str, target: Target) -> Event {
    let json = Bytes::copy_from_slice(text.as_bytes());
    Event { target, body: EventBody::Frame { json, stamp: None, except: None, received_ms: 0 } }
}

pub fn to_users(text: &str, names: &[&str]) -> Event {
    saying(text, Target::Users(names.iter().map(|name| user(name)).collect()))
}

pub fn text_of(event: &Event) -> String {
    match &event.body {
        EventBody::Frame { json, .. } => String::from_utf8_lossy(json).into_owned(),
        other => panic!("not a frame: {other:?}"),
    }
}

pub async fn next(subscription: &mut dyn Subscription) -> Result<Vec<Event>, FanoutError> {
    timeout(DEADLINE, subscription.receive()).await.expect("something comes in time")
}

/// The error that ends a subscription; what came before it is let pass.
pub async fn end_of(subscription: &mut dyn Subscription) -> FanoutError {
    let end = async {
        loop {
            if let Err(error) = subscription.receive().await {
                return error;
            }
        }
    };
    timeout(DEADLINE, end).await.expect("the subscription ends in time")
}

/// The next `count` events.
pub async fn take(subscription: &mut dyn Subscription, count: usize) -> Vec<Event> {
    let mut events = Vec::new();
    while events.len() < count {
        events.extend(next(subscription).await.expect("the subscription lives"));
    }
    assert_eq!(events.len(), count, "{events:?}");
    events
}

/// What came to a gateway up to now: everything before an event that is sent to it last.
pub async fn came_to(fanout: &dyn Fanout, subscription: &mut dyn Subscription) -> Vec<String> {
    let last = saying("the last", Target::Gateway(subscription.gateway()));
    fanout.publish(vec![last.clone()]).await.expect("published");
    let mut texts = Vec::new();
    loop {
        for event in next(subscription).await.expect("the subscription lives") {
            if event == last {
                return texts;
            }
            texts.push(text_of(&event));
        }
    }
}

/// Waits until something holds; there is no event for what another process does in Redis.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !holds().await {
        assert!(Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
