//! The certificates of the services, and the authority that signs them.

use super::ringing::{EACH_RINGS, Ringing};
use super::roll;
use crate::push::scene::Scene;
use crate::support::authority::{Authority, Front};
use crate::support::server::Server;
use crate::support::stack::Stack;
use crate::support::until;

#[tokio::test]
async fn the_authority_of_all_services_is_replaced_and_nothing_is_lost() {
    let stack = Stack::shared().await;
    let (old, new) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let trusted = folder.path().join("ca.crt");
    std::fs::write(&trusted, old.pem()).unwrap();
    let services = [&stack.postgres.database().await, stack.rabbitmq.url(), stack.redis.url()];
    let fronts = [
        Front::of(services[0], &old).await,
        Front::of(services[1], &old).await,
        Front::of(services[2], &old).await,
    ];
    let urls: Vec<String> = fronts.iter().zip(services).map(|(front, url)| front.url(url)).collect();
    let ca = trusted.to_str().unwrap();
    let settings = [
        ("postgres__url", &*urls[0]),
        ("postgres__ca_file", ca),
        ("rabbitmq__url", &*urls[1]),
        ("rabbitmq__ca_file", ca),
        ("redis__url", &*urls[2]),
        ("redis__ca_file", ca),
        EACH_RINGS,
    ];
    let mut scene = Scene::roles(&settings).await;
    let phone = scene.phone("bob", "phone").await;
    let mut ringing = Ringing::start(&scene, &[("bob", &phone)]);
    ringing.more(3).await;

    // Both are trusted, then the services start again with new certificates, then only the new one is trusted.
    std::fs::write(&trusted, old.pem() + &new.pem()).unwrap();
    roll(&mut scene.world).await;
    fronts.iter().for_each(|front| front.show(&new));
    ringing.more(3).await;
    std::fs::write(&trusted, new.pem()).unwrap();
    roll(&mut scene.world).await;
    ringing.more(3).await;
    assert!(ringing.end(&scene).await > 10);

    // It was by these certificates that everybody was let in.
    std::fs::write(&trusted, old.pem()).unwrap();
    let late = Server::spawned("migrate", &settings);
    until("it is refused", async || late.output().contains("invalid peer certificate")).await;
}
