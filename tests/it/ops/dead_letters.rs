//! `tidings dead-letters`: what the database refuses is put aside alone, read, and replayed when the cause is mended.

use crate::support::client::Client;
use crate::support::stack::{Stack, Wanted};
use crate::support::until;
use crate::support::world::World;

async fn cli(world: &World, arguments: &[&str]) -> String {
    let output = world.command(&[&["dead-letters"], arguments].concat()).await;
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_refused_message_is_listed_without_its_text_and_appears_once_it_is_replayed() {
    let stack = Stack::private(&Wanted::ALL).await;
    let world = World::roles_on(stack.postgres(), stack.rabbitmq(), stack.redis(), &[]).await;
    let (mut alice, _) = Client::login(world.here, "alice").await;
    let (mut bob, _) = Client::login(world.there, "bob").await;
    let id = alice.say_to("bob", "before").await["conversation_id"].as_str().unwrap().to_owned();
    bob.message("before").await;
    let (database, connection) =
        tokio_postgres::connect(world.setting("postgres__url"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    let refuse = "ALTER TABLE messages ADD CONSTRAINT fault CHECK (text NOT LIKE '%poison%')";
    database.batch_execute(refuse).await.unwrap();

    let accepted = alice.say_in(&id, "poison").await;
    let refused = alice.error().await;
    assert_eq!(refused["client_id"], accepted["client_id"], "{refused}");
    alice.say_in(&id, "after").await;
    assert_eq!(bob.message("after").await["seq"], 2, "its neighbour is delivered");

    let list = cli(&world, &["list"]).await;
    assert!(list.ends_with("1 dead letters\n"), "{list}");
    let letter = list.split('\t').next().unwrap().to_owned();
    let shown = cli(&world, &["show", &letter]).await;
    assert!(shown.contains(&id) && shown.contains("sender alice") && !shown.contains("poison\""), "{shown}");
    assert!(cli(&world, &["show", &letter, "--text"]).await.contains("poison"));

    // Not mended yet: it comes back.
    assert_eq!(cli(&world, &["replay", "--all"]).await, "1 replayed, 0 left\n");
    until("it is set aside again", async || cli(&world, &["list"]).await.ends_with("1 dead letters\n")).await;
    database.batch_execute("ALTER TABLE messages DROP CONSTRAINT fault").await.unwrap();
    assert_eq!(cli(&world, &["replay", "--all"]).await, "1 replayed, 0 left\n");
    assert_eq!(bob.message("poison").await["seq"], 3, "it gets the next number");
    assert_eq!(cli(&world, &["list"]).await, "0 dead letters\n");
    let mut counted = 0.0;
    for worker in &world.workers {
        counted += worker.metric("tidings_dead_lettered_messages_total").await;
    }
    assert_eq!(counted, 2.0);
}
