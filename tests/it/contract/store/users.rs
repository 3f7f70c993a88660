//! Users, accounts and sign-ins.

use std::time::Duration;

use tidings::model::{Admission, Denial, SessionId, Timestamp, UserId};
use tidings::store::{NewAccount, ProfileChange, Session};

use super::Fixture;
use super::fixture::{aimed, said};

fn asks(user: &UserId) -> Admission {
    Admission { user_id: user.clone(), issued_at: Some(Timestamp::now()), session_id: None, provision: false }
}

async fn is_admitted(fixture: &Fixture, admission: Admission) -> Result<(), Denial> {
    fixture.store.admit(&[admission]).await.unwrap().remove(0)
}

fn account(user: &UserId) -> NewAccount {
    NewAccount {
        user_id: user.clone(),
        password_hash: "$argon2id$hash".to_owned(),
        display_name: Some("Alice".to_owned()),
    }
}

async fn signed_in(fixture: &Fixture, user: &UserId) -> SessionId {
    let session = Session {
        id: SessionId::new(),
        user_id: user.clone(),
        expires_at: Timestamp::now().plus(Duration::from_secs(3600)),
    };
    fixture.store.create_session(&session).await.unwrap();
    session.id
}

pub async fn a_known_user_is_admitted_and_an_unknown_one_only_made_on_request(fixture: &Fixture) {
    let [known] = fixture.users(["known"]).await;
    let (unknown, made) = (fixture.name("unknown"), fixture.name("made"));
    let wanted = Admission { provision: true, ..asks(&made) };
    let answers = fixture.store.admit(&[asks(&unknown), wanted, asks(&known)]).await.unwrap();
    assert_eq!(answers, [Err(Denial::Unknown), Ok(()), Ok(())]);
    assert_eq!(is_admitted(fixture, asks(&made)).await, Ok(()));
    assert_eq!(is_admitted(fixture, asks(&unknown)).await, Err(Denial::Unknown));
}

pub async fn a_deactivated_user_is_denied_until_provisioned_again(fixture: &Fixture) {
    let [user] = fixture.users(["user"]).await;
    let at = Timestamp::now();
    assert!(fixture.store.deactivate(&user, at).await.unwrap());
    assert_eq!(is_admitted(fixture, asks(&user)).await, Err(Denial::Deactivated));
    let profile = fixture.store.profiles(std::slice::from_ref(&user)).await;
    assert_eq!(profile.unwrap()[0].deactivated_at, Some(at));

    let again = ProfileChange::default();
    let profile = fixture.store.provision(&user, &again).await.unwrap();
    assert_eq!(profile.deactivated_at, None);
    assert_eq!(is_admitted(fixture, asks(&user)).await, Ok(()));
    assert!(!fixture.store.deactivate(&fixture.name("none"), at).await.unwrap());
}

pub async fn a_token_older_than_the_revocation_is_denied(fixture: &Fixture) {
    let [user] = fixture.users(["user"]).await;
    let at = Timestamp::now();
    assert!(fixture.store.revoke(&user, at).await.unwrap());
    let issued = |issued_at| Admission { issued_at, ..asks(&user) };
    let before = Timestamp::from_millis(at.as_millis() - 1);
    let denied = Err(Denial::Revoked);
    assert_eq!(is_admitted(fixture, issued(Some(before))).await, denied);
    assert_eq!(is_admitted(fixture, issued(None)).await, denied);
    assert_eq!(is_admitted(fixture, issued(Some(at))).await, Ok(()));
    // An earlier revocation does not take a later one back.
    assert!(fixture.store.revoke(&user, before).await.unwrap());
    assert_eq!(is_admitted(fixture, issued(Some(before))).await, denied);
    assert!(!fixture.store.revoke(&fixture.name("none"), at).await.unwrap());
}

pub async fn an_account_is_made_once_and_takes_nobody_over(fixture: &Fixture) {
    let [provisioned] = fixture.users(["provisioned"]).await;
    let new = fixture.name("new");
    assert!(fixture.store.create_account(&account(&new)).await.unwrap());
    assert!(!fixture.store.create_account(&account(&new)).await.unwrap());
    let taken = fixture.store.create_account(&account(&provisioned)).await;
    assert!(!taken.unwrap());

    let hash = fixture.store.password_hash(&new).await.unwrap();
    assert_eq!(hash.as_deref(), Some("$argon2id$hash"));
    assert_eq!(fixture.store.password_hash(&provisioned).await.unwrap(), None);
    let profile = fixture.store.profiles(std::slice::from_ref(&new)).await;
    assert_eq!(profile.unwrap()[0].display_name.as_deref(), Some("Alice"));
}

pub async fn a_deactivated_account_has_no_password_to_sign_in_with(fixture: &Fixture) {
    let user = fixture.name("user");
    assert!(fixture.store.create_account(&account(&user)).await.unwrap());
    let now = Timestamp::now();
    assert!(fixture.store.deactivate(&user, now).await.unwrap());
    assert_eq!(fixture.store.password_hash(&user).await.unwrap(), None);
    assert!(!fixture.store.create_account(&account(&user)).await.unwrap());
}

pub async fn a_sign_in_admits_until_it_ends(fixture: &Fixture) {
    let [user, other] = fixture.users(["user", "other"]).await;
    let session = signed_in(fixture, &user).await;
    let with = |user: &UserId, session| Admission { session_id: Some(session), ..asks(user) };
    assert_eq!(is_admitted(fixture, with(&user, session)).await, Ok(()));
    let denied = Err(Denial::Revoked);
    assert_eq!(is_admitted(fixture, with(&other, session)).await, denied);
    let unknown = SessionId::new();
    assert_eq!(is_admitted(fixture, with(&user, unknown)).await, denied);

    assert!(!fixture.store.end_session(&other, session).await.unwrap());
    assert!(fixture.store.end_session(&user, session).await.unwrap());
    assert!(!fixture.store.end_session(&user, session).await.unwrap());
    assert_eq!(is_admitted(fixture, with(&user, session)).await, denied);
    assert_eq!(is_admitted(fixture, asks(&user)).await, Ok(()));
}

pub async fn deactivating_ends_the_sign_ins(fixture: &Fixture) {
    let [user] = fixture.users(["user"]).await;
    let session = signed_in(fixture, &user).await;
    let now = Timestamp::now();
    assert!(fixture.store.deactivate(&user, now).await.unwrap());
    let again = ProfileChange::default();
    fixture.store.provision(&user, &again).await.unwrap();
    let admission = Admission { session_id: Some(session), ..asks(&user) };
    assert_eq!(is_admitted(fixture, admission).await, Err(Denial::Revoked));
}

pub async fn a_profile_changes_field_by_field(fixture: &Fixture) {
    let user = fixture.name("user");
    let both = ProfileChange {
        display_name: Some(Some("Ada".to_owned())),
        avatar_url: Some(Some("https://example.org/a.png".to_owned())),
    };
    assert_eq!(fixture.store.change_profile(&user, &both).await.unwrap(), None);
    let profile = fixture.store.provision(&user, &both).await.unwrap();
    assert_eq!(profile.id, user);
    assert_eq!(profile.display_name.as_deref(), Some("Ada"));

    let without_avatar = ProfileChange { display_name: None, avatar_url: Some(None) };
    let changed = fixture.store.change_profile(&user, &without_avatar).await;
    let changed = changed.unwrap().unwrap();
    assert_eq!(changed.display_name.as_deref(), Some("Ada"));
    assert_eq!(changed.avatar_url, None);
    let unknown = fixture.name("unknown");
    let profiles = fixture.store.profiles(&[unknown, user]).await.unwrap();
    assert_eq!(profiles, [changed]);
}

pub async fn erasing_removes_the_person_and_their_texts(fixture: &Fixture) {
    let [owner, person] = fixture.users(["owner", "person"]).await;
    let name = ProfileChange { display_name: Some(Some("Person".to_owned())), avatar_url: None };
    fixture.store.provision(&person, &name).await.unwrap();
    let group = fixture.group(&owner, &[&person]).await;
    fixture.say(group, &owner, "stays").await;
    let seq = fixture.say(group, &person, "goes").await;
    let mut edit = aimed(group, &person, tidings::model::EntryKind::Edit, seq);
    edit.body.text = Some("goes too".to_owned());
    edit.body.mentions = vec![owner.clone()];
    fixture.stored(edit).await;
    let direct = fixture.direct(&owner, &person).await;
    fixture.stored(said(direct, &person, "goes as well")).await;

    let at = Timestamp::now();
    assert!(fixture.store.erase(&person, at).await.unwrap());
    assert!(!fixture.store.erase(&fixture.name("none"), at).await.unwrap());
    let profiles = fixture.store.profiles(std::slice::from_ref(&person)).await;
    let profile = profiles.unwrap().remove(0);
    assert_eq!(profile.display_name, None);
    assert!(profile.deactivated_at.is_some());

    let log = fixture.log(group, &owner).await;
    assert_eq!(super::fixture::texts(&log), ["stays"]);
    assert_eq!(log[1].deleted_at, Some(at));
    assert!(log[2].body.mentions.is_empty());
    let log = fixture.log(direct, &owner).await;
    assert_eq!(super::fixture::texts(&log), [""; 0]);
}

pub async fn erasing_reaches_texts_in_conversations_that_the_person_left(fixture: &Fixture) {
    let [owner, person] = fixture.users(["owner", "person"]).await;
    let group = fixture.group(&owner, &[&person]).await;
    fixture.say(group, &person, "goes").await;
    let leave = tidings::model::EntryKind::MemberLeft;
    let left = super::fixture::about(group, &person, leave, &[&person], None);
    fixture.stored(left).await;
    let now = Timestamp::now();
    assert!(fixture.store.erase(&person, now).await.unwrap());
    let log = fixture.log(group, &owner).await;
    assert_eq!(log[0].body.text, None);
}
