use std::sync::Arc;
use std::time::Duration;

use tidings::fanout::{Fanout, LeaseGroup};
use uuid::Uuid;

use super::on_every_backend;
use super::scene::eventually;

on_every_backend!(
    whoever_holds_a_lease_sees_all_who_do_sorted,
    groups_do_not_see_each_other,
    a_lease_that_was_given_back_is_gone,
    a_lease_that_is_not_renewed_expires_and_one_that_is_does_not,
);

const LONG: Duration = Duration::from_secs(60);

async fn whoever_holds_a_lease_sees_all_who_do_sorted(fanout: Arc<dyn Fanout>) {
    let mut ids = [Uuid::from_u128(3), Uuid::from_u128(1), Uuid::from_u128(2)];
    let mut seen = Vec::new();
    for id in [ids[0], ids[1], ids[2], ids[0]] {
        seen = fanout.hold(LeaseGroup::Workers, id, LONG).await.unwrap();
    }
    ids.sort();
    assert_eq!(seen, ids);
}

async fn groups_do_not_see_each_other(fanout: Arc<dyn Fanout>) {
    let (worker, push) = (Uuid::now_v7(), Uuid::now_v7());
    assert_eq!(fanout.hold(LeaseGroup::Workers, worker, LONG).await.unwrap(), [worker]);
    assert_eq!(fanout.hold(LeaseGroup::Push, push, LONG).await.unwrap(), [push]);
    assert_eq!(fanout.hold(LeaseGroup::Workers, worker, LONG).await.unwrap(), [worker]);
}

async fn a_lease_that_was_given_back_is_gone(fanout: Arc<dyn Fanout>) {
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    fanout.hold(LeaseGroup::Push, one, LONG).await.unwrap();
    fanout.hold(LeaseGroup::Push, other, LONG).await.unwrap();
    fanout.release(LeaseGroup::Push, one).await.unwrap();
    fanout.release(LeaseGroup::Push, Uuid::now_v7()).await.unwrap();
    assert_eq!(fanout.hold(LeaseGroup::Push, other, LONG).await.unwrap(), [other]);
}

async fn a_lease_that_is_not_renewed_expires_and_one_that_is_does_not(fanout: Arc<dyn Fanout>) {
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let short = Duration::from_millis(300);
    fanout.hold(LeaseGroup::Workers, one, short).await.unwrap();
    let both = fanout.hold(LeaseGroup::Workers, other, LONG).await.unwrap();
    assert_eq!(both.len(), 2);
    let alone = async || fanout.hold(LeaseGroup::Workers, other, LONG).await.unwrap() == [other];
    eventually("the first lease expires", alone).await;
}
