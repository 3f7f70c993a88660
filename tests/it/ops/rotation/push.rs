//! What signs pushes: Apple's and Google's keys without a restart, the browsers' with one.

use std::path::Path;

use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;
use tidings::push::fake::{FCM_KEY_ID, Service};

use super::ringing::{EACH_RINGS, Ringing};
use super::roll;
use crate::push::scene::Scene;
use crate::support::client::{Client, http};
use crate::support::until;
use crate::support::world::World;

/// A secret as Kubernetes mounts it: all of its files change in one step.
struct Mounted(TempDir);

impl Mounted {
    fn new(files: &[(&str, &str)]) -> Self {
        let mounted = Self(tempfile::tempdir().unwrap());
        mounted.update(files);
        for (name, _) in files {
            std::os::unix::fs::symlink(Path::new("..data").join(name), mounted.0.path().join(name)).unwrap();
        }
        mounted
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    fn update(&self, files: &[(&str, &str)]) {
        let (version, root) = (uuid::Uuid::new_v4().to_string(), self.0.path());
        std::fs::create_dir(root.join(&version)).unwrap();
        for (name, content) in files {
            std::fs::write(root.join(&version).join(name), content).unwrap();
        }
        std::os::unix::fs::symlink(&version, root.join("..next")).unwrap();
        std::fs::rename(root.join("..next"), root.join("..data")).unwrap();
    }
}

/// Requests to providers that came to anything else than a delivery.
async fn failures(world: &World) -> f64 {
    let pusher = &world.pushers[0];
    let all = pusher.metric("tidings_push_requests_total").await;
    all - pusher.labelled_metric("tidings_push_requests_total", "result=\"delivered\"").await
}

#[tokio::test]
async fn the_keys_of_apple_and_google_are_replaced_without_a_restart_and_no_push_is_lost() {
    // The fakes make the first keys when they start.
    let secrets = Mounted::new(&[("apns.p8", ""), ("apns-key-id", ""), ("fcm.json", "")]);
    let [key, id, account] = ["apns.p8", "apns-key-id", "fcm.json"].map(|name| secrets.path(name));
    let settings = [
        ("apns__key_file", &*key),
        ("apns__key_id", ""),
        ("apns__key_id_file", &*id),
        ("fcm__service_account_file", &*account),
        EACH_RINGS,
    ];
    let scene = Scene::roles_with(&settings, |fake| {
        let read = |file: &Path| std::fs::read_to_string(file).unwrap();
        let (key, account) = (read(&fake.files.apns_key), read(&fake.files.fcm_service_account));
        secrets.update(&[
            ("apns.p8", &key),
            ("apns-key-id", &fake.files.apns_key_id),
            ("fcm.json", &account),
        ]);
    })
    .await;
    let phones = [scene.phone("bob", "phone").await, scene.android("cat", "phone").await];
    let mut ringing = Ringing::start(&scene, &[("bob", &phones[0]), ("cat", &phones[1])]);
    ringing.more(5).await;
    let tokens = || (scene.fake.provider_tokens(), scene.fake.requests(Service::FcmToken));
    until("the first keys sign", async || tokens() == (1, 1)).await;

    let apple = scene.fake.new_apns_key("FAKEKEY002").unwrap();
    let google = scene.fake.new_fcm_key("second").unwrap();
    secrets.update(&[("apns.p8", &apple.file), ("apns-key-id", &apple.id), ("fcm.json", &google.file)]);
    until("the second keys sign", async || tokens() == (2, 2)).await;
    scene.fake.revoke_apns_key(&scene.fake.files.apns_key_id);
    scene.fake.revoke_fcm_key(FCM_KEY_ID);
    ringing.more(10).await;
    assert!(ringing.end(&scene).await > 30);
    assert_eq!(tokens(), (2, 2));
    assert_eq!(failures(&scene.world).await, 0.0, "nothing was refused meanwhile");
}

/// With what browsers subscribe, at both gateways.
async fn offered(scene: &Scene) -> [String; 2] {
    let at = async |at| {
        let (status, answer) = http(at, "ann", Method::GET, "/v1/push", None).await;
        assert_eq!(status, 200, "{answer}");
        answer["vapid_public_key"].as_str().expect("a key").to_owned()
    };
    [at(scene.here()).await, at(scene.there()).await]
}

/// A browser of this user that subscribes with this key; answers the name of its phone.
async fn subscribe(scene: &Scene, user: &str, key: &str) -> String {
    let made = scene.fake.subscribe(Some(key.to_owned())).unwrap();
    let body = json!({"platform": "webpush", "token": made.subscription.to_string()});
    scene.register(user, "browser", body).await;
    made.phone
}

#[tokio::test]
async fn the_key_of_browsers_is_replaced_in_three_steps_and_who_comes_back_meanwhile_misses_nothing() {
    let [old, new] = [(); 2].map(|()| rcgen::KeyPair::generate().unwrap().serialize_pem());
    let secret = Mounted::new(&[("vapid", &old)]);
    let file = secret.path("vapid");
    let mut scene = Scene::roles(&[("webpush__vapid_private_key_file", &file), EACH_RINGS]).await;
    let [first, _] = offered(&scene).await;
    let dan = subscribe(&scene, "dan", &first).await;
    let mut ringing = Ringing::start(&scene, &[("dan", &dan)]);

    // The new key behind the old one: everybody knows it before anybody subscribes with it.
    secret.update(&[("vapid", &(old.clone() + &new))]);
    roll(&mut scene.world).await;
    assert_eq!(offered(&scene).await, [&*first, &*first]);
    // Now before it. In the midst of the rollout one gateway offers the one and one the other.
    secret.update(&[("vapid", &(new.clone() + &old))]);
    scene.world.servers[0].replace().await;
    let [second, other] = offered(&scene).await;
    assert!(second != first && other == first);
    let eve = subscribe(&scene, "eve", &second).await;
    let early = Ringing::start(&scene, &[("eve", &eve)]);
    let world = &mut scene.world;
    tokio::join!(world.servers[1].replace(), world.pushers[0].replace());
    assert_eq!(offered(&scene).await, [&*second, &*second]);
    ringing.more(3).await;
    early.end(&scene).await;
    ringing.end(&scene).await;

    // The old one is taken away. Who came back meanwhile notices nothing, who did not is set aside until they do.
    secret.update(&[("vapid", &new)]);
    let ringing = Ringing::start(&scene, &[("eve", &eve)]);
    roll(&mut scene.world).await;
    ringing.end(&scene).await;
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    ann.say_to("dan", "missed").await;
    until("the browser is set aside", async || {
        let (_, list) = http(scene.there(), "dan", Method::GET, "/v1/devices", None).await;
        list["devices"][0]["quarantined_at"].is_string() && list["devices"][0]["disabled_at"].is_null()
    })
    .await;
    let again = subscribe(&scene, "dan", &second).await;
    ann.say_to("dan", "back").await;
    scene.rings(&again, "back").await;
    let dead = scene.world.pushers[0].metric("tidings_dead_lettered_messages_total").await;
    assert_eq!(dead, 0.0);
}
