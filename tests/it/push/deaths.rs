//! Processes die in between.

use tidings::push::fake::{Fault, Rule, Service};

use super::scene::Scene;
use crate::support::client::Client;

super::on_both!(a_kill_of_whatever_is_behind_loses_no_push_and_shows_none_twice,);

async fn a_kill_of_whatever_is_behind_loses_no_push_and_shows_none_twice(scene: &mut Scene) {
    let mut phones = Vec::new();
    for user in ["bob", "cat", "dan"] {
        phones.push((user, scene.android(user, "phone").await));
        // To Apple a process that comes back with a token of its own renews too often, and the fake says so too.
        phones.push((user, scene.phone(user, "apple").await));
        phones.push((user, scene.browser(user, "browser").await));
    }
    // Slow answers, so that the kill finds pushes under way; sockets, so that it finds users who are waited for.
    for service in [Service::Apns, Service::Fcm, Service::Webpush] {
        scene.fake.fault(service, Rule::always(Fault::Slow(200)));
    }
    let (mut ann, _) = Client::login(scene.here(), "ann").await;
    let (_dan, _) = Client::login(scene.there(), "dan").await;
    for number in 1..=3 {
        for user in ["bob", "cat", "dan"] {
            ann.say_to(user, &format!("{number}")).await;
        }
    }
    for server in scene.behind() {
        server.kill();
    }
    for server in scene.behind() {
        server.restart();
        server.ready().await;
    }
    for (user, token) in &phones {
        let shown = scene.shows(token, user, |phone| phone.alerts.len() == 3).await;
        let mut texts: Vec<_> = shown.alerts.iter().filter_map(|shown| shown.body.as_deref()).collect();
        texts.sort_unstable();
        assert_eq!(texts, ["1", "2", "3"], "{user}");
    }
    assert_eq!(scene.fake.provider_tokens(), 1);
}
