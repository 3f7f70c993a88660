//! Keys of an issuer by https: rotated without a restart, on every gateway, and made-up key ids do not flood the issuer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PublicKeyData};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::support::authority::Authority;
use crate::support::client::{Client, SOON, Upgrade};
use crate::support::world::World;

/// A key by its id.
struct Key {
    kid: &'static str,
    pair: KeyPair,
}

impl Key {
    fn new(kid: &'static str) -> Self {
        Self { kid, pair: KeyPair::generate().unwrap() }
    }

    fn jwk(&self) -> Value {
        // An uncompressed point of P-256.
        let (x, y) = self.pair.der_bytes()[1..].split_at(32);
        json!({"kty": "EC", "crv": "P-256", "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)})
    }

    fn token(&self, user: &str) -> String {
        self.token_under(self.kid, user)
    }

    fn token_under(&self, kid: &str, user: &str) -> String {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let header = Header { kid: Some(kid.to_owned()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_der(&self.pair.serialize_der());
        encode(&header, &json!({"sub": user, "iat": now, "exp": now + 3600}), &key).unwrap()
    }
}

/// The issuer: tells its keys, and counts how often it is asked.
struct Issuer {
    url: String,
    authority: Authority,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    async fn start() -> Self {
        let authority = Authority::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/keys", listener.local_addr().unwrap());
        let (keys, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let acceptor = authority.acceptor();
        let (told, counted) = (Arc::clone(&keys), Arc::clone(&asked));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, told, counted) = (acceptor.clone(), Arc::clone(&told), Arc::clone(&counted));
                tokio::spawn(async move {
                    let mut encrypted = acceptor.accept(socket).await.ok()?;
                    let _head = encrypted.read(&mut [0; 4096]).await.ok()?;
                    counted.fetch_add(1, Ordering::SeqCst);
                    let body = json!({"keys": *told.lock().unwrap()}).to_string();
                    let head = format!(
                        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                        body.len()
                    );
                    encrypted.write_all(format!("{head}{body}").as_bytes()).await.ok()?;
                    encrypted.shutdown().await.ok()
                });
            }
        });
        Self { url, authority, keys, asked }
    }

    fn tell(&self, keys: &[&Key]) {
        *self.keys.lock().unwrap() = keys.iter().map(|key| key.jwk()).collect();
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn settings(&self) -> Vec<(&'static str, String)> {
        vec![
            ("auth__jwks_url", self.url.clone()),
            ("auth__jwks_ca_file", self.authority.file().to_str().unwrap().to_owned()),
            ("auth__jwks_min_refresh", "1s".to_owned()),
        ]
    }
}

async fn status(world: &World, gateway: usize, token: &str) -> StatusCode {
    let url = format!("http://{}/v1/me", world.servers[gateway].listen);
    reqwest::Client::new().get(url).bearer_auth(token).send().await.unwrap().status()
}

async fn until(world: &World, gateway: usize, token: &str, wanted: StatusCode) {
    let deadline = Instant::now() + SOON;
    while status(world, gateway, token).await != wanted {
        assert!(Instant::now() < deadline, "gateway {gateway} never answers {wanted}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn rotation(world: &World, issuer: &Issuer, old: &Key) {
    let new = Key::new("new");
    let (good, refused) = (StatusCode::OK, StatusCode::UNAUTHORIZED);
    for gateway in 0..world.servers.len() {
        until(world, gateway, &old.token("alice"), good).await;
        assert_eq!(status(world, gateway, &new.token("alice")).await, refused);
        // The right id on another key.
        assert_eq!(status(world, gateway, &new.token_under("old", "alice")).await, refused);
    }
    // First both are told, as an issuer does; then the old key is gone.
    issuer.tell(&[old, &new]);
    for gateway in 0..world.servers.len() {
        until(world, gateway, &new.token("alice"), good).await;
        assert_eq!(status(world, gateway, &old.token("alice")).await, good);
    }
    issuer.tell(&[&new]);
    let third = Key::new("made up");
    for gateway in 0..world.servers.len() {
        // Whoever shows a key that nobody knows has the set fetched.
        let deadline = Instant::now() + SOON;
        while status(world, gateway, &old.token("alice")).await != refused {
            assert!(Instant::now() < deadline, "the old key is good for ever");
            assert_eq!(status(world, gateway, &third.token("alice")).await, refused);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(status(world, gateway, &new.token("alice")).await, good);
        let listen = world.servers[gateway].listen;
        let upgrade = Upgrade { bearer: Some(&old.token("alice")), ..Upgrade::default() };
        assert!(Client::open(listen, upgrade).await.is_err(), "401");
        let upgrade = Upgrade { bearer: Some(&new.token("alice")), ..Upgrade::default() };
        let mut client = Client::open(listen, upgrade).await.unwrap();
        client.send(json!({"type": "hello"})).await;
        assert_eq!(client.expect("welcome").await["user_id"], "alice");
    }
    // Two hundred made-up ids, each another: at most one fetch a second and gateway.
    let (began, before) = (Instant::now(), issuer.asked());
    for n in 0..200 {
        let gateway = n % world.servers.len();
        let made_up = third.token_under(&format!("made up {n}"), "alice");
        assert_eq!(status(world, gateway, &made_up).await, refused);
    }
    let most = (began.elapsed().as_secs() as usize + 2) * world.servers.len();
    let asked = issuer.asked() - before;
    assert!(asked <= most && asked < 50, "{asked} fetches in {:?}", began.elapsed());
}

async fn with_an_issuer(roles: bool) {
    let (issuer, old) = (Issuer::start().await, Key::new("old"));
    issuer.tell(&[&old]);
    let settings = issuer.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let world = if roles { World::roles(&settings).await } else { World::dev(&settings).await };
    rotation(&world, &issuer, &old).await;
}

#[tokio::test]
async fn an_issuer_s_keys_are_rotated_without_a_restart_on_dev() {
    with_an_issuer(false).await;
}

#[tokio::test]
async fn an_issuer_s_keys_are_rotated_without_a_restart_on_the_roles() {
    with_an_issuer(true).await;
}
