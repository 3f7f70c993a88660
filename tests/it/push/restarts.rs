//! What is still known after a kill.

use std::time::Duration;

use serde_json::{Value, json};

use super::scene::{Scene, place};
use crate::support::client::Client;
use crate::support::until;
use crate::support::world::World;

const PATIENT: &[(&str, &str)] = &[("push__ack_deadline", "6s")];

mod on_dev {
    use super::{PATIENT, Scene};

    #[tokio::test]
    async fn what_was_acknowledged_before_a_kill_does_not_ring_after_it() {
        super::what_was_acknowledged_before_a_kill_does_not_ring_after_it(&mut Scene::dev(PATIENT).await)
            .await;
    }

    #[tokio::test]
    async fn an_idle_desktop_silences_no_phone_after_a_kill_either() {
        super::an_idle_desktop_silences_no_phone_after_a_kill_either(&mut Scene::dev(PATIENT).await).await;
    }
}

mod on_roles {
    use super::{PATIENT, Scene};

    #[tokio::test]
    async fn what_was_acknowledged_before_a_kill_does_not_ring_after_it() {
        super::what_was_acknowledged_before_a_kill_does_not_ring_after_it(&mut Scene::roles(PATIENT).await)
            .await;
    }

    #[tokio::test]
    async fn an_idle_desktop_silences_no_phone_after_a_kill_either() {
        super::an_idle_desktop_silences_no_phone_after_a_kill_either(&mut Scene::roles(PATIENT).await).await;
    }
}

/// Kills everything behind while bob is waited for, after the acknowledgement was written down.
async fn kill_after_an_ack(scene: &mut Scene, hello: Value) {
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    // Somebody who is there and silent, so that there is a wait.
    let (_tablet, _) = Client::login_with(scene.there(), "bob", json!({"device_id": "tablet"})).await;
    let (mut desktop, _) = Client::login_with(scene.there(), "bob", hello).await;
    ann.say_to("bob", "one").await;
    let (conversation, seq) = place(&mut desktop, "one").await;
    desktop.send(json!({"type": "ack", "conversation_id": conversation, "seq": seq})).await;
    let fits = |f: &Value| f["type"] == "receipt" && f["user_id"] == "bob" && f["delivered_seq"] == seq;
    ann.find(fits, "the acknowledgement").await;
    for server in scene.behind() {
        server.kill();
    }
    for server in scene.behind() {
        server.restart();
        server.ready().await;
    }
}

async fn what_was_acknowledged_before_a_kill_does_not_ring_after_it(scene: &mut Scene) {
    let phone = scene.phone("bob", "phone").await;
    kill_after_an_ack(scene, json!({"device_id": "desktop"})).await;
    // Past the deadline. A counter says nothing here: the stage may have decided before the kill.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let last = scene.phone("cat", "phone").await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("cat", "last").await;
    scene.rings(&last, "last").await;
    assert!(scene.fake.phone(&phone).is_none());
}

async fn an_idle_desktop_silences_no_phone_after_a_kill_either(scene: &mut Scene) {
    // Android: to Apple a process that comes back at once renews its token too often.
    let phone = scene.android("bob", "phone").await;
    kill_after_an_ack(scene, json!({"device_id": "desktop", "active": false})).await;
    scene.rings(&phone, "one").await;
}

/// The batch is stored and its job not: the file of the jobs is locked meanwhile, by us.
#[tokio::test]
async fn a_kill_between_a_batch_and_its_job_loses_no_push_on_dev() {
    let mut scene = Scene::dev(&[]).await;
    let phone = scene.android("bob", "phone").await;
    let file = std::path::Path::new(scene.world.setting("embedded__data_dir")).join("queue.sqlite");
    let lock = rusqlite::Connection::open(&file).unwrap();
    lock.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let client_id = uuid::Uuid::new_v4();
    ann.send(json!({"type": "send", "to": "bob", "client_id": client_id, "text": "stored"})).await;
    ann.message("stored").await;
    for server in scene.behind() {
        server.kill();
    }
    lock.execute_batch("ROLLBACK").unwrap();
    drop(lock);
    for server in scene.behind() {
        server.restart();
        server.ready().await;
    }
    let shown = scene.rings(&phone, "stored").await;
    assert_eq!(shown.title.as_deref(), Some("ann"));
    assert_eq!(scene.fake.phone(&phone).unwrap().rings, 1);
}

/// Damage, or a row of another release: an operator hears of it once and can look at it; at the next start it is gone.
#[tokio::test]
async fn a_row_that_cannot_be_read_becomes_a_dead_letter_once_on_dev() {
    let mut scene = Scene::dev(&[]).await;
    let phone = scene.android("bob", "phone").await;
    let file = std::path::Path::new(scene.world.setting("embedded__data_dir")).join("tidings.sqlite");
    let rows = || {
        let connection = rusqlite::Connection::open(&file).unwrap();
        connection.query_row("SELECT count(*) FROM push_outbox", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    scene.world.servers[0].kill();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute("INSERT INTO push_outbox (texts) VALUES (CAST('[{\"damaged' AS BLOB))", []).unwrap();
    drop(connection);
    let server = &mut scene.world.servers[0];
    server.restart();
    server.ready().await;
    let counted = "tidings_dead_lettered_messages_total{queue=\"push\",reason=\"undecodable\"";
    until("it is gone", async || rows() == 0).await;
    assert_eq!(server.metric(counted).await, 1.0);
    let list = async |world: &World| {
        let output = world.command(&["dead-letters", "list"]).await;
        String::from_utf8(output.stdout).unwrap()
    };
    let listed = list(&scene.world).await;
    assert!(listed.contains("\toutbox\t") && listed.ends_with("1 dead letters\n"), "{listed}");

    scene.world.servers[0].replace().await;
    assert_eq!(scene.world.servers[0].metric(counted).await, 0.0);
    assert_eq!(list(&scene.world).await, listed);
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("bob", "as ever").await;
    scene.rings(&phone, "as ever").await;
}
