use std::sync::Arc;

use tidings::fanout::{Attention, Fanout, Subscription};
use tidings::model::{Target, UserId};

use super::on_every_backend;
use super::scene::{came_to, eventually, group, saying, to_users, user, users};

on_every_backend!(
    a_user_is_found_where_they_are_registered,
    a_user_at_two_gateways_is_found_at_both_and_an_event_comes_once,
    an_unregistered_user_is_not_found_and_their_other_gateway_is,
    a_user_who_was_registered_twice_is_gone_when_unregistered_once,
    a_group_is_found_where_it_is_registered,
    an_unregistered_group_is_not_found,
    users_beside_a_group_are_found_by_their_own_route,
    a_user_and_a_group_do_not_meet,
    a_group_is_brought_to_where_its_new_members_are,
    thousands_of_users_are_registered_at_once,
    whether_users_are_connected_is_answered_in_their_order,
    nobody_is_connected_at_a_gateway_that_is_gone,
    a_user_is_idle_when_they_are_at_every_gateway_that_holds_them,
);

/// Two gateways: with one alone everything may go to it.
async fn two(fanout: &dyn Fanout) -> (Box<dyn Subscription>, Box<dyn Subscription>) {
    (fanout.subscribe().await.unwrap(), fanout.subscribe().await.unwrap())
}

async fn a_user_is_found_where_they_are_registered(fanout: Arc<dyn Fanout>) {
    let (mut one, mut other) = two(&*fanout).await;
    fanout.register_users(one.gateway(), &users(["alice", "carol"])).await.unwrap();
    fanout.register_users(other.gateway(), &users(["bob"])).await.unwrap();
    let events = vec![
        to_users("1", &["alice", "bob"]),
        to_users("2", &["bob", "nobody"]),
        to_users("3", &["carol"]),
        to_users("4", &["alice", "carol"]),
    ];
    fanout.publish(events).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *one).await, ["1", "3", "4"]);
    assert_eq!(came_to(&*fanout, &mut *other).await, ["1", "2"]);
}

async fn a_user_at_two_gateways_is_found_at_both_and_an_event_comes_once(fanout: Arc<dyn Fanout>) {
    let (mut one, mut other) = two(&*fanout).await;
    for gateway in [one.gateway(), other.gateway()] {
        fanout.register_users(gateway, &users(["alice", "bob"])).await.unwrap();
    }
    fanout.publish(vec![to_users("both", &["alice", "bob", "alice"])]).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *one).await, ["both"]);
    assert_eq!(came_to(&*fanout, &mut *other).await, ["both"]);
}

async fn an_unregistered_user_is_not_found_and_their_other_gateway_is(fanout: Arc<dyn Fanout>) {
    let (mut one, mut other) = two(&*fanout).await;
    let alice = users(["alice"]);
    for gateway in [one.gateway(), other.gateway()] {
        fanout.register_users(gateway, &alice).await.unwrap();
    }
    fanout.unregister_users(one.gateway(), &alice).await.unwrap();
    fanout.publish(vec![to_users("hello", &["alice"])]).await.unwrap();
    assert!(came_to(&*fanout, &mut *one).await.is_empty());
    assert_eq!(came_to(&*fanout, &mut *other).await, ["hello"]);
}

async fn a_user_who_was_registered_twice_is_gone_when_unregistered_once(fanout: Arc<dyn Fanout>) {
    let (mut one, _other) = two(&*fanout).await;
    let alice = users(["alice"]);
    for _ in 0..2 {
        fanout.register_users(one.gateway(), &alice).await.unwrap();
    }
    fanout.unregister_users(one.gateway(), &alice).await.unwrap();
    fanout.publish(vec![to_users("hello", &["alice"])]).await.unwrap();
    assert!(came_to(&*fanout, &mut *one).await.is_empty());
    assert_eq!(fanout.are_connected(&alice).await.unwrap(), [false]);
}

async fn a_group_is_found_where_it_is_registered(fanout: Arc<dyn Fanout>) {
    let (mut one, mut other) = two(&*fanout).await;
    let (here, both) = (group(), group());
    fanout.register_groups(one.gateway(), &[here, both]).await.unwrap();
    fanout.register_groups(other.gateway(), &[both]).await.unwrap();
    let to = |text, group| saying(text, Target::Group(group, Vec::new()));
    fanout.publish(vec![to("here", here), to("both", both), to("nowhere", group())]).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *one).await, ["here", "both"]);
    assert_eq!(came_to(&*fanout, &mut *other).await, ["both"]);
}

async fn an_unregistered_group_is_not_found(fanout: Arc<dyn Fanout>) {
    let (mut one, _other) = two(&*fanout).await;
    let (left, kept) = (group(), group());
    fanout.register_groups(one.gateway(), &[left, kept]).await.unwrap();
    fanout.unregister_groups(one.gateway(), &[left]).await.unwrap();
    let to = |text, group| saying(text, Target::Group(group, Vec::new()));
    fanout.publish(vec![to("left", left), to("kept", kept)]).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *one).await, ["kept"]);
}

async fn users_beside_a_group_are_found_by_their_own_route(fanout: Arc<dyn Fanout>) {
    let (mut one, mut other) = two(&*fanout).await;
    let group = group();
    fanout.register_groups(one.gateway(), &[group]).await.unwrap();
    fanout.register_users(other.gateway(), &users(["bob"])).await.unwrap();
    fanout.publish(vec![saying("bob left", Target::Group(group, vec![user("bob")]))]).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *one).await, ["bob left"]);
    assert_eq!(came_to(&*fanout, &mut *other).await, ["bob left"]);
}

async fn a_user_and_a_group_do_not_meet(fanout: Arc<dyn Fanout>) {
    let (mut one, mut other) = two(&*fanout).await;
    let group = group();
    let namesake = user(&group.to_string());
    fanout.register_groups(one.gateway(), &[group]).await.unwrap();
    fanout.register_users(other.gateway(), std::slice::from_ref(&namesake)).await.unwrap();
    fanout.publish(vec![saying("user", Target::Users(vec![namesake]))]).await.unwrap();
    assert!(came_to(&*fanout, &mut *one).await.is_empty());
    assert_eq!(came_to(&*fanout, &mut *other).await, ["user"]);
}

async fn a_group_is_brought_to_where_its_new_members_are(fanout: Arc<dyn Fanout>) {
    let (mut one, mut other) = two(&*fanout).await;
    fanout.register_users(one.gateway(), &users(["alice", "carol"])).await.unwrap();
    fanout.register_users(other.gateway(), &users(["bob"])).await.unwrap();
    let (near, far, nowhere) = (group(), group(), group());
    let joined = [
        (near, users(["alice", "carol"]).to_vec()),
        (far, users(["bob", "alice", "nobody"]).to_vec()),
        (nowhere, users(["nobody"]).to_vec()),
    ];
    fanout.bring_groups(&joined).await.unwrap();
    let to = |text, group| saying(text, Target::Group(group, Vec::new()));
    fanout.publish(vec![to("near", near), to("far", far), to("nowhere", nowhere)]).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *one).await, ["near", "far"]);
    assert_eq!(came_to(&*fanout, &mut *other).await, ["far"]);
    // What was brought goes like what was registered.
    fanout.unregister_groups(one.gateway(), &[near]).await.unwrap();
    fanout.publish(vec![to("near", near)]).await.unwrap();
    assert!(came_to(&*fanout, &mut *one).await.is_empty());
}

async fn thousands_of_users_are_registered_at_once(fanout: Arc<dyn Fanout>) {
    let (one, mut other) = two(&*fanout).await;
    let everybody: Vec<UserId> = (0..5000).map(|number| user(&format!("user {number}"))).collect();
    fanout.register_users(one.gateway(), &everybody).await.unwrap();
    fanout.register_users(other.gateway(), &everybody).await.unwrap();
    fanout.unregister_users(one.gateway(), &everybody).await.unwrap();
    assert_eq!(fanout.are_connected(&everybody).await.unwrap(), vec![true; everybody.len()]);
    fanout.publish(vec![saying("all", Target::Users(everybody.clone()))]).await.unwrap();
    assert_eq!(came_to(&*fanout, &mut *other).await, ["all"]);
    fanout.unregister_users(other.gateway(), &everybody).await.unwrap();
    assert_eq!(fanout.are_connected(&everybody).await.unwrap(), vec![false; everybody.len()]);
}

async fn whether_users_are_connected_is_answered_in_their_order(fanout: Arc<dyn Fanout>) {
    let gateway = fanout.subscribe().await.unwrap();
    fanout.register_users(gateway.gateway(), &users(["alice", "carol"])).await.unwrap();
    let asked = users(["carol", "bob", "alice", "carol"]);
    assert_eq!(fanout.are_connected(&asked).await.unwrap(), [true, false, true, true]);
    assert!(fanout.are_connected(&[]).await.unwrap().is_empty());
}

async fn nobody_is_connected_at_a_gateway_that_is_gone(fanout: Arc<dyn Fanout>) {
    let gateway = fanout.subscribe().await.unwrap();
    let alice = users(["alice"]);
    fanout.register_users(gateway.gateway(), &alice).await.unwrap();
    drop(gateway);
    eventually("alice is gone", async || fanout.are_connected(&alice).await.unwrap() == [false]).await;
}

async fn a_user_is_idle_when_they_are_at_every_gateway_that_holds_them(fanout: Arc<dyn Fanout>) {
    let (one, other) = two(&*fanout).await;
    let all = users(["alice", "bob", "carol", "dan"]);
    let [alice, bob, carol, _] = all.clone();
    fanout.register_users(one.gateway(), &[alice.clone(), bob.clone(), carol.clone()]).await.unwrap();
    fanout.register_users(other.gateway(), &[bob.clone(), carol.clone()]).await.unwrap();
    fanout.register_idle(one.gateway(), &[bob.clone(), carol.clone()]).await.unwrap();
    fanout.register_idle(other.gateway(), std::slice::from_ref(&carol)).await.unwrap();
    let (active, idle, away) = (Attention::Active, Attention::Idle, Attention::Away);
    assert_eq!(fanout.attention(&all).await.unwrap(), [active, active, idle, away]);
    fanout.unregister_idle(one.gateway(), std::slice::from_ref(&carol)).await.unwrap();
    assert_eq!(fanout.attention(&[carol, alice, bob]).await.unwrap(), [active, active, active]);
}
