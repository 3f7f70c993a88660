//! Two jobs about one message, as a death at the right moment leaves them.

use std::time::Duration;

use tidings::push::fake::{Fault, Rule, Service};
use tokio::time::Instant;

use super::scene::{SOON, Scene};
use crate::support::client::Client;

#[tokio::test]
async fn two_jobs_about_one_message_make_one_request() {
    let mut scene = Scene::dev(&[("push__ack_deadline", "4s")]).await;
    let phone = scene.android("bob", "phone").await;
    // So slow that the second is looked at while the first is under way.
    scene.fake.fault(Service::Fcm, Rule::always(Fault::Slow(2000)));
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let (mut bob, _) = Client::login(scene.there(), "bob").await;
    ann.say_to("bob", "once").await;
    bob.message("once").await;
    let file = std::path::Path::new(scene.world.setting("embedded__data_dir")).join("queue.sqlite");
    // What waits for bob, twice: not at the same moment, or both are decided together.
    let deadline = Instant::now() + SOON;
    loop {
        let jobs = rusqlite::Connection::open(&file).unwrap();
        jobs.busy_timeout(SOON).unwrap();
        let waiting: i64 = jobs
            .query_row("SELECT count(*) FROM push_jobs WHERE payload LIKE '%waiting%'", [], |row| row.get(0))
            .unwrap();
        if waiting == 1 {
            break;
        }
        assert!(Instant::now() < deadline, "{waiting} wait");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for server in scene.behind() {
        server.kill();
    }
    let jobs = rusqlite::Connection::open(&file).unwrap();
    let twice = "INSERT INTO push_jobs (lane, due, payload) SELECT lane, due + 500, payload FROM push_jobs WHERE payload LIKE '%waiting%'";
    assert_eq!(jobs.execute(twice, []).unwrap(), 1);
    drop(jobs);
    for server in scene.behind() {
        server.restart();
        server.ready().await;
    }
    scene.rings(&phone, "once").await;
    // A second request would be there 500 ms later.
    tokio::time::sleep(Duration::from_millis(3000)).await;
    let shown = scene.fake.phone(&phone).unwrap();
    assert_eq!((shown.rings, shown.repeats), (1, 0), "{shown:?}");
    assert_eq!(scene.fake.requests(Service::Fcm), 1);
}
