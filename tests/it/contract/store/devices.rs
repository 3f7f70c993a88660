//! Devices that can be reached by push.

use std::time::Duration;

use tidings::model::{DeviceId, Environment, Platform, SessionId, Timestamp, UserId};
use tidings::store::{Registration, Session};

use super::Fixture;

fn device(name: &str) -> DeviceId {
    DeviceId::parse(name).unwrap()
}

fn registration(fixture: &Fixture, user: &UserId, name: &str, token: &str) -> Registration {
    Registration {
        user_id: user.clone(),
        device_id: device(name),
        platform: Platform::Apns,
        token: fixture.name(token).as_str().to_owned(),
        app_id: "org.example.chat".to_owned(),
        environment: Some(Environment::Sandbox),
        session_id: None,
        at: Timestamp::from_millis(1_000_000),
    }
}

async fn names(fixture: &Fixture, user: &UserId) -> Vec<String> {
    let devices = fixture.store.devices_of(std::slice::from_ref(user)).await;
    let devices = devices.unwrap().remove(0);
    let name = |device: &tidings::model::Device| device.device_id.as_str().to_owned();
    devices.iter().map(name).collect()
}

pub async fn a_device_registers_and_is_listed(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let phone = registration(fixture, &alice, "phone", "token");
    let registered = fixture.store.register_device(&phone).await.unwrap().unwrap();
    assert_eq!(registered.device_id, phone.device_id);
    let tablet = registration(fixture, &alice, "a-tablet", "other token");
    fixture.store.register_device(&tablet).await.unwrap();
    let users = [bob, alice];
    let devices = fixture.store.devices_of(&users).await.unwrap();
    assert_eq!((devices.len(), devices[0].len(), devices[1].len()), (2, 0, 2));
    assert_eq!(devices[1][0].device_id, tablet.device_id);
    let listed = &devices[1][1];
    assert_eq!(listed.token, phone.token);
    assert_eq!(listed.platform, Platform::Apns);
    assert_eq!(listed.app_id, "org.example.chat");
    assert_eq!(listed.environment, Some(Environment::Sandbox));
    assert_eq!(listed.registered_at, phone.at);
    assert_eq!((listed.disabled_at, listed.quarantined_at), (None, None));
}

pub async fn a_device_of_an_unknown_user_is_not_registered(fixture: &Fixture) {
    let stranger = fixture.name("stranger");
    let phone = registration(fixture, &stranger, "phone", "token");
    let registered = fixture.store.register_device(&phone).await.unwrap();
    assert!(registered.is_none());
    assert_eq!(names(fixture, &stranger).await, [""; 0]);
}

pub async fn a_token_belongs_to_the_last_who_registered_it(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let of_alice = registration(fixture, &alice, "phone", "token");
    fixture.store.register_device(&of_alice).await.unwrap();
    let of_bob = registration(fixture, &bob, "phone", "token");
    fixture.store.register_device(&of_bob).await.unwrap();
    assert_eq!(names(fixture, &alice).await, [""; 0]);
    assert_eq!(names(fixture, &bob).await, ["phone"]);
    // The same user's other name for it, too; elsewhere the same token is another.
    let renamed = registration(fixture, &bob, "new phone", "token");
    fixture.store.register_device(&renamed).await.unwrap();
    assert_eq!(names(fixture, &bob).await, ["new phone"]);
    let elsewhere = Registration { platform: Platform::Fcm, ..of_alice };
    fixture.store.register_device(&elsewhere).await.unwrap();
    assert_eq!(names(fixture, &bob).await, ["new phone"]);
}

pub async fn a_device_is_removed_by_its_user(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let phone = registration(fixture, &alice, "phone", "token");
    fixture.store.register_device(&phone).await.unwrap();
    let store = &fixture.store;
    let phone = device("phone");
    assert!(!store.remove_device(&bob, &phone).await.unwrap());
    assert!(store.remove_device(&alice, &phone).await.unwrap());
    assert!(!store.remove_device(&alice, &phone).await.unwrap());
    assert_eq!(names(fixture, &alice).await, [""; 0]);
}

pub async fn a_dead_token_is_marked_unless_registered_anew_since(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let first = registration(fixture, &alice, "phone", "token");
    let registered = fixture.store.register_device(&first).await.unwrap().unwrap();
    let at = Timestamp::from_millis(3_000_000);
    let store = &fixture.store;
    let (phone, none) = (device("phone"), device("none"));
    let since = registered.registered_at;
    assert!(!store.disable_device(&alice, &none, since, at).await.unwrap());
    assert!(!store.quarantine_device(&alice, &none, since, at).await.unwrap());
    assert!(store.disable_device(&alice, &phone, since, at).await.unwrap());
    assert!(store.quarantine_device(&alice, &phone, since, at).await.unwrap());
    let users = [alice.clone()];
    let marked = store.devices_of(&users).await.unwrap().remove(0).remove(0);
    assert_eq!((marked.disabled_at, marked.quarantined_at), (Some(at), Some(at)));

    let anew = Registration { at: Timestamp::from_millis(2_000_000), ..first };
    let registered = store.register_device(&anew).await.unwrap().unwrap();
    assert_eq!((registered.disabled_at, registered.quarantined_at), (None, None));
    assert!(!store.disable_device(&alice, &phone, since, at).await.unwrap());
    assert!(!store.quarantine_device(&alice, &phone, since, at).await.unwrap());
    let fresh = store.devices_of(&users).await.unwrap().remove(0).remove(0);
    assert_eq!((fresh.disabled_at, fresh.quarantined_at), (None, None));
}

pub async fn signing_out_unbinds_the_devices_of_that_sign_in(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let session = Session {
        id: SessionId::new(),
        user_id: alice.clone(),
        expires_at: Timestamp::now().plus(Duration::from_secs(60)),
    };
    fixture.store.create_session(&session).await.unwrap();
    let bound =
        Registration { session_id: Some(session.id), ..registration(fixture, &alice, "bound", "token") };
    let registered = fixture.store.register_device(&bound).await.unwrap().unwrap();
    assert_eq!(registered.session_id, Some(session.id));
    let free = registration(fixture, &alice, "free", "other token");
    fixture.store.register_device(&free).await.unwrap();
    assert!(fixture.store.end_session(&alice, session.id).await.unwrap());
    assert_eq!(names(fixture, &alice).await, ["free"]);
}

pub async fn a_revoked_or_deactivated_user_has_no_device_of_before(fixture: &Fixture) {
    let [alice, bob] = fixture.users(["alice", "bob"]).await;
    let phone = |user, token| registration(fixture, user, "phone", token);
    let store = &fixture.store;
    let at = phone(&alice, "token").at;
    store.register_device(&phone(&alice, "token")).await.unwrap();
    let later = Registration {
        at: Timestamp::from_millis(at.as_millis() + 1),
        ..registration(fixture, &alice, "later", "later token")
    };
    store.register_device(&later).await.unwrap();
    assert!(store.revoke(&alice, at).await.unwrap());
    assert_eq!(names(fixture, &alice).await, ["later"]);
    store.register_device(&phone(&bob, "of bob")).await.unwrap();
    assert!(store.deactivate(&bob, at).await.unwrap());
    assert_eq!(names(fixture, &bob).await, [""; 0]);
}

pub async fn erasing_a_user_removes_their_devices(fixture: &Fixture) {
    let [alice] = fixture.users(["alice"]).await;
    let phone = registration(fixture, &alice, "phone", "token");
    fixture.store.register_device(&phone).await.unwrap();
    let now = Timestamp::now();
    assert!(fixture.store.erase(&alice, now).await.unwrap());
    assert_eq!(names(fixture, &alice).await, [""; 0]);
}
