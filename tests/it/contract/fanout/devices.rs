use std::sync::Arc;

use tidings::fanout::Fanout;

use super::on_every_backend;
use super::scene::users;

on_every_backend!(a_mark_stays_until_a_device_is_registered_and_differs_then,);

async fn a_mark_stays_until_a_device_is_registered_and_differs_then(fanout: Arc<dyn Fanout>) {
    let all = users(["alice", "bob"]);
    let before = fanout.device_marks(&all).await.unwrap();
    assert_eq!(before.users.len(), 2);
    assert_eq!(fanout.device_marks(&all).await.unwrap(), before);
    fanout.device_registered(&all[0]).await.unwrap();
    let after = fanout.device_marks(&all).await.unwrap();
    assert_ne!(after.anybody, before.anybody);
    assert_ne!(after.users[0], before.users[0]);
    fanout.device_registered(&all[0]).await.unwrap();
    let again = fanout.device_marks(&all).await.unwrap();
    assert!(again.anybody != after.anybody && again.users[0] != after.users[0]);
}
