use std::sync::Arc;

use bytes::Bytes;
use tidings::fanout::Fanout;
use tidings::model::{
    ClientId, ConversationId, Event, EventBody, GatewayId, Refusal, Seq, SessionId, Stamp, Target,
};

use super::on_every_backend;
use super::scene::{came_to, next, saying, take, text_of, to_users, user};

on_every_backend!(
    every_subscription_has_an_id_of_its_own,
    what_is_for_everyone_reaches_every_gateway_in_order,
    what_is_for_one_gateway_reaches_only_that,
    every_kind_of_event_arrives_as_it_was_sent,
    a_batch_of_megabytes_arrives_whole_and_in_order,
    a_wait_for_events_may_be_given_up_without_losing_any,
    what_nobody_holds_goes_nowhere,
    a_dropped_subscription_leaves_the_others_alone,
    it_answers_a_ping,
);

async fn every_subscription_has_an_id_of_its_own(fanout: Arc<dyn Fanout>) {
    let (one, other) = (fanout.subscribe().await.unwrap(), fanout.subscribe().await.unwrap());
    assert_ne!(one.gateway(), other.gateway());
}

async fn what_is_for_everyone_reaches_every_gateway_in_order(fanout: Arc<dyn Fanout>) {
    for gateways in [1, 3] {
        let mut subscriptions = Vec::new();
        for _ in 0..gateways {
            subscriptions.push(fanout.subscribe().await.unwrap());
        }
        let texts: Vec<String> = (0..200).map(|number| number.to_string()).collect();
        for batch in texts.chunks(50) {
            let batch = batch.iter().map(|text| saying(text, Target::Everyone)).collect();
            fanout.publish(batch).await.unwrap();
        }
        for subscription in &mut subscriptions {
            assert_eq!(came_to(&*fanout, &mut **subscription).await, texts);
        }
    }
}

async fn what_is_for_one_gateway_reaches_only_that(fanout: Arc<dyn Fanout>) {
    let mut one = fanout.subscribe().await.unwrap();
    fanout.publish(vec![saying("nobody", Target::Gateway(GatewayId::new()))]).await.unwrap();
    let mut other = fanout.subscribe().await.unwrap();
    let to_one = saying("one", Target::Gateway(one.gateway()));
    let to_nobody = saying("nobody", Target::Gateway(GatewayId::new()));
    fanout.publish(vec![to_nobody, to_one]).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *one).await, ["one"]);
    assert!(came_to(&*fanout, &mut *other).await.is_empty());
}

async fn every_kind_of_event_arrives_as_it_was_sent(fanout: Arc<dyn Fanout>) {
    let mut subscription = fanout.subscribe().await.unwrap();
    let stamp = Stamp { conversation_id: ConversationId::new(), seq: Seq::new(7), members_seq: Seq::new(3) };
    let outcome = |result| EventBody::Outcome {
        session: SessionId::new(),
        client_id: ClientId::new(),
        conversation_id: ConversationId::new(),
        result,
    };
    let bodies = [
        EventBody::Frame {
            json: Bytes::from_static("{\"text\":\"grüße\"}".as_bytes()),
            stamp: Some(stamp),
            except: Some(user("alice")),
            received_ms: 1_767_225_600_007,
        },
        EventBody::Conversation { stamp, removed: true },
        outcome(Ok(Seq::MAX)),
        outcome(Err(Refusal::Conflict)),
        EventBody::Resync { reason: "test".to_owned() },
        EventBody::Expelled { deactivated: true, session: Some(SessionId::new()) },
        EventBody::Expelled { deactivated: false, session: None },
        EventBody::Forget,
        EventBody::Answer { request: SessionId::new(), json: Bytes::from_static(b"{}") },
    ];
    let events = bodies.map(|body| Event { target: Target::Everyone, body });
    fanout.publish(events.to_vec()).await.unwrap();
    assert_eq!(take(&mut *subscription, events.len()).await, events);
}

async fn a_batch_of_megabytes_arrives_whole_and_in_order(fanout: Arc<dyn Fanout>) {
    let mut subscription = fanout.subscribe().await.unwrap();
    let events: Vec<Event> =
        (0..60).map(|number| saying(&format!("{number:060000}"), Target::Everyone)).collect();
    fanout.publish(events.clone()).await.unwrap();
    assert!(take(&mut *subscription, events.len()).await == events, "other events, or in another order");
}

async fn a_wait_for_events_may_be_given_up_without_losing_any(fanout: Arc<dyn Fanout>) {
    let mut subscription = fanout.subscribe().await.unwrap();
    let mut came = Vec::new();
    for number in 0..20 {
        fanout.publish(vec![saying(&number.to_string(), Target::Everyone)]).await.unwrap();
        for _ in 0..5 {
            tokio::select! {
                biased;
                events = subscription.receive() => came.extend(events.unwrap()),
                () = tokio::task::yield_now() => {}
            }
        }
    }
    while came.len() < 20 {
        came.extend(next(&mut *subscription).await.unwrap());
    }
    let numbers: Vec<usize> = came.iter().filter_map(|event| text_of(event).parse().ok()).collect();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

async fn what_nobody_holds_goes_nowhere(fanout: Arc<dyn Fanout>) {
    fanout.publish(vec![to_users("nobody there", &["alice"])]).await.unwrap();
    fanout.publish(Vec::new()).await.unwrap();
    let (mut one, mut other) = (fanout.subscribe().await.unwrap(), fanout.subscribe().await.unwrap());
    let watchers = saying("no watchers", Target::Watchers(user("alice")));
    let group = saying("no members", Target::Group(ConversationId::new(), vec![user("bob")]));
    fanout.publish(vec![to_users("no sockets", &["alice"]), watchers, group]).await.unwrap();
    assert!(came_to(&*fanout, &mut *one).await.is_empty());
    assert!(came_to(&*fanout, &mut *other).await.is_empty());
}

async fn a_dropped_subscription_leaves_the_others_alone(fanout: Arc<dyn Fanout>) {
    let (gone, mut stays) = (fanout.subscribe().await.unwrap(), fanout.subscribe().await.unwrap());
    let users = [user("alice")];
    fanout.register_users(gone.gateway(), &users).await.unwrap();
    fanout.register_users(stays.gateway(), &users).await.unwrap();
    drop(gone);
    fanout.publish(vec![to_users("hello", &["alice"])]).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *stays).await, ["hello"]);
}

async fn it_answers_a_ping(fanout: Arc<dyn Fanout>) {
    fanout.ping().await.unwrap();
}
