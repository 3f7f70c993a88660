use std::fs;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tidings::config;
use tidings::fanout::Subscriptions;
use tidings::fanout::redis::{RedisFanout, RedisSettingsError, RedisState};
use tidings::model::Target;

use super::backends::{connected, settings};
use super::redis_wire::{Server, folder, free_port};
use super::scene::{saying, take};

/// A server that speaks TLS only, its certificate signed by an authority of its own in `authority.pem`.
async fn server() -> Server {
    let folder = folder();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let path = |name| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("authority.pem"), authority.pem()).unwrap();
    fs::write(path("certificate.pem"), certificate.pem()).unwrap();
    fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    let port = free_port();
    let options = [
        ("--port", "0".to_owned()),
        ("--tls-port", port.to_string()),
        ("--tls-cert-file", path("certificate.pem")),
        ("--tls-key-file", path("key.pem")),
        ("--tls-ca-cert-file", path("authority.pem")),
        ("--tls-auth-clients", "no".to_owned()),
        ("--requirepass", "p@ss/w%rd".to_owned()),
    ];
    let options: Vec<&str> = options.iter().flat_map(|(name, value)| [*name, value]).collect();
    let server = Server::start(folder, port, &options);
    server.answers().await;
    server
}

fn rediss(server: &Server) -> config::Redis {
    let ca_file = Some(server.folder.path().join("authority.pem"));
    config::Redis { ca_file, ..settings(&format!("rediss://:p%40ss%2Fw%25rd@localhost:{}", server.port)) }
}

#[tokio::test]
async fn it_speaks_tls_with_the_authority_it_was_given_and_logs_in() {
    let server = server().await;
    let fanout = connected(&rediss(&server)).await;
    let mut subscription = fanout.subscribe().await.unwrap();
    let event = saying("hello", Target::Everyone);
    fanout.publish(vec![event.clone()]).await.unwrap();
    assert_eq!(take(&mut *subscription, 1).await, [event]);
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let server = server().await;
    let settings = config::Redis { ca_file: None, ..rediss(&server) };
    // Without any authority in the system the settings are refused at once; that is as good.
    if let Ok(fanout) = RedisFanout::connect(&settings) {
        assert!(fanout.subscribe().await.is_err());
        assert_eq!(*fanout.state().borrow(), RedisState::Away);
    }
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused_without_their_password() {
    let missing = config::Redis { url: None, ..settings("redis://localhost") };
    assert!(matches!(RedisFanout::connect(&missing), Err(RedisSettingsError::NoUrl)));
    let error = RedisFanout::connect(&settings("redis://:hunter2@")).err().expect("no host");
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    let no_file = config::Redis { ca_file: Some("/nowhere.pem".into()), ..settings("rediss://localhost") };
    assert!(matches!(RedisFanout::connect(&no_file), Err(RedisSettingsError::Tls(_))));
}
