use std::sync::Arc;
use std::time::Duration;

use tidings::fanout::Fanout;
use tidings::model::{Status, Target, Timestamp};

use super::on_every_backend;
use super::scene::{came_to, eventually, saying, user, users};

on_every_backend!(
    who_has_a_route_is_online_and_others_are_offline_in_their_order,
    who_went_offline_was_last_seen_then,
    who_was_seen_again_was_last_seen_then,
    whose_gateway_is_gone_is_offline,
    watchers_hear_of_whom_they_watch,
    who_stops_watching_hears_no_more,
);

async fn who_has_a_route_is_online_and_others_are_offline_in_their_order(fanout: Arc<dyn Fanout>) {
    let gateway = fanout.subscribe().await.unwrap();
    fanout.register_users(gateway.gateway(), &users(["alice", "carol"])).await.unwrap();
    let asked = users(["bob", "carol", "alice"]);
    let presences = fanout.presence(&asked).await.unwrap();
    let of = |presence: &tidings::model::Presence| (presence.user_id.clone(), presence.status);
    let expected =
        [(user("bob"), Status::Offline), (user("carol"), Status::Online), (user("alice"), Status::Online)];
    assert_eq!(presences.iter().map(of).collect::<Vec<_>>(), expected);
    assert!(presences.iter().all(|presence| presence.last_seen_at.is_none()));
    assert!(fanout.presence(&[]).await.unwrap().is_empty());
}

async fn who_went_offline_was_last_seen_then(fanout: Arc<dyn Fanout>) {
    let gateway = fanout.subscribe().await.unwrap();
    let asked = users(["alice", "bob", "carol"]);
    let at = Timestamp::now();
    fanout.register_users(gateway.gateway(), &users(["bob"])).await.unwrap();
    fanout.saw(&users(["alice", "bob"]), at).await.unwrap();
    let seen = |presences: Vec<tidings::model::Presence>| {
        presences.into_iter().map(|presence| presence.last_seen_at).collect::<Vec<_>>()
    };
    assert_eq!(seen(fanout.presence(&asked).await.unwrap()), [Some(at), None, None]);
    fanout.unregister_users(gateway.gateway(), &users(["bob"])).await.unwrap();
    assert_eq!(seen(fanout.presence(&asked).await.unwrap()), [Some(at), Some(at), None]);
}

async fn who_was_seen_again_was_last_seen_then(fanout: Arc<dyn Fanout>) {
    let (alice, now) = (users(["alice"]), Timestamp::now());
    for at in [now, now.plus(Duration::from_millis(5))] {
        fanout.saw(&alice, at).await.unwrap();
        assert_eq!(fanout.presence(&alice).await.unwrap()[0].last_seen_at, Some(at));
    }
}

async fn whose_gateway_is_gone_is_offline(fanout: Arc<dyn Fanout>) {
    let gateway = fanout.subscribe().await.unwrap();
    let alice = users(["alice"]);
    fanout.register_users(gateway.gateway(), &alice).await.unwrap();
    assert_eq!(fanout.presence(&alice).await.unwrap()[0].status, Status::Online);
    drop(gateway);
    let is_offline = async || fanout.presence(&alice).await.unwrap()[0].status == Status::Offline;
    eventually("alice is offline", is_offline).await;
}

async fn watchers_hear_of_whom_they_watch(fanout: Arc<dyn Fanout>) {
    let (mut one, mut other) = (fanout.subscribe().await.unwrap(), fanout.subscribe().await.unwrap());
    fanout.watch(one.gateway(), &users(["alice", "bob"])).await.unwrap();
    // A route is no wish to watch.
    fanout.register_users(other.gateway(), &users(["alice"])).await.unwrap();
    let about = |text, name| saying(text, Target::Watchers(user(name)));
    fanout
        .publish(vec![about("alice", "alice"), about("bob", "bob"), about("carol", "carol")])
        .await
        .unwrap();
    assert_eq!(came_to(&*fanout, &mut *one).await, ["alice", "bob"]);
    assert!(came_to(&*fanout, &mut *other).await.is_empty());
}

async fn who_stops_watching_hears_no_more(fanout: Arc<dyn Fanout>) {
    let (mut one, _other) = (fanout.subscribe().await.unwrap(), fanout.subscribe().await.unwrap());
    fanout.watch(one.gateway(), &users(["alice", "bob"])).await.unwrap();
    fanout.unwatch(one.gateway(), &users(["alice"])).await.unwrap();
    let about = |text, name| saying(text, Target::Watchers(user(name)));
    fanout.publish(vec![about("alice", "alice"), about("bob", "bob")]).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *one).await, ["bob"]);
}
