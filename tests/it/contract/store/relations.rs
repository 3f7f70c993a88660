//! Contacts and blocks.

use tidings::model::Timestamp;
use tidings::store::Relation::{Block, Contact};

use super::Fixture;

pub async fn a_relation_is_added_listed_and_removed(fixture: &Fixture) {
    let [alice, bob, carol] = fixture.users(["alice", "bob", "carol"]).await;
    let store = &fixture.store;
    for relation in [Contact, Block] {
        for other in [&carol, &bob, &carol] {
            assert!(store.add_relation(relation, &alice, other).await.unwrap());
        }
        let stranger = fixture.name("stranger");
        assert!(!store.add_relation(relation, &alice, &stranger).await.unwrap());
        let others = store.relations(relation, &alice).await.unwrap();
        assert_eq!(others, [bob.clone(), carol.clone()]);
        assert!(store.is_related(relation, &alice, &bob).await.unwrap());
        assert!(!store.is_related(relation, &bob, &alice).await.unwrap());
        assert!(store.remove_relation(relation, &alice, &bob).await.unwrap());
        assert!(!store.remove_relation(relation, &alice, &bob).await.unwrap());
        assert!(!store.is_related(relation, &alice, &bob).await.unwrap());
    }
    // The two are apart.
    assert!(store.remove_relation(Block, &alice, &carol).await.unwrap());
    assert_eq!(store.relations(Contact, &alice).await.unwrap(), [carol]);
}

pub async fn presence_is_visible_to_contacts_and_to_those_who_share_a_conversation(fixture: &Fixture) {
    let names = ["adder", "added", "direct", "group", "stranger", "viewer"];
    let [adder, added, direct, group, stranger, viewer] = fixture.users(names).await;
    let store = &fixture.store;
    assert!(store.add_relation(Contact, &adder, &viewer).await.unwrap());
    assert!(store.add_relation(Contact, &viewer, &added).await.unwrap());
    fixture.direct(&direct, &viewer).await;
    fixture.group(&stranger, &[&added]).await;
    fixture.group(&group, &[&viewer, &direct]).await;
    let targets = [adder.clone(), added, direct.clone(), group.clone(), stranger, viewer.clone()];
    let mut visible = store.visible_to(&viewer, &targets).await.unwrap();
    visible.sort();
    assert_eq!(visible, [adder, direct, group, viewer]);
}

pub async fn erasing_a_user_removes_their_relations(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let store = &fixture.store;
    for relation in [Contact, Block] {
        assert!(store.add_relation(relation, &alice, &bob).await.unwrap());
    }
    let now = Timestamp::now();
    assert!(store.erase(&alice, now).await.unwrap());
    for relation in [Contact, Block] {
        assert_eq!(store.relations(relation, &alice).await.unwrap(), []);
    }
}
