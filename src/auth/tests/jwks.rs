//! Keys that an issuer publishes, rotates, and sometimes cannot deliver.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::jwks_server::{Answer, JwksServer};
use super::pairs::Pair;
use super::support::*;
use crate::auth::*;

struct Running {
    verifier: Arc<Verifier>,
    _stop: DropGuard,
}

impl Running {
    fn start(jwks: JwksSettings) -> Self {
        let settings = Settings { jwks: Some(jwks), ..secrets() };
        let verifier = Arc::new(verifier(&settings));
        let stop = CancellationToken::new();
        let (running, shutdown) = (verifier.clone(), stop.clone());
        tokio::spawn(async move { running.run(shutdown).await });
        Self { verifier, _stop: stop.drop_guard() }
    }

    async fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        self.verifier.verify(token, now()).await
    }

    /// Until `verify` answers as `wanted`, within a deadline.
    async fn until(&self, token: &str, wanted: Result<(), TokenError>) {
        let reached = async {
            while self.verify(token).await.map(|_| ()) != wanted {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let reached = tokio::time::timeout(Duration::from_secs(20), reached).await;
        assert!(reached.is_ok(), "not {wanted:?} in time, but {:?}", self.verify(token).await);
    }
}

fn good(pair: &Pair, kid: &str) -> String {
    pair.sign(Some(kid), &claims(json!({})))
}

#[tokio::test]
async fn a_key_of_the_set_verifies_and_nothing_else_does() {
    let pairs = Pair::one_of_each();
    let names = ["rsa", "p256", "ed"];
    let keys: Vec<Value> = pairs.iter().zip(names).map(|(p, kid)| p.jwk_named(kid)).collect();
    let server = JwksServer::start(Answer::Keys(keys)).await;
    let running = Running::start(server.settings());
    for (pair, kid) in pairs.iter().zip(names) {
        let read = running.verify(&good(pair, kid)).await.unwrap();
        assert_eq!((&*read.user_id, read.kind), ("ada", TokenKind::Jwks));
        assert!(running.verify(&pair.sign(None, &claims(json!({})))).await.is_ok());
    }
    // The right kid on the wrong key, and the wrong kid on the right key.
    let forged = good(&Pair::p256(), "p256");
    assert_eq!(running.verify(&forged).await, Err(TokenError::BadSignature));
    let mixed = good(&pairs[1], "rsa");
    assert_eq!(running.verify(&mixed).await, Err(TokenError::AlgorithmMismatch));
    let expired = pairs[1].sign(Some("p256"), &claims(json!({ "exp": NOW - 60 })));
    assert_eq!(running.verify(&expired).await, Err(TokenError::Expired));
    // Secrets work beside it, and without waiting for it.
    assert!(running.verify(&shared(&claims(json!({})))).await.is_ok());
}

#[tokio::test]
async fn a_public_key_of_the_set_is_no_hmac_secret() {
    let pair = Pair::rsa();
    let server = JwksServer::start(Answer::Keys(vec![pair.jwk_named("k")])).await;
    let running = Running::start(server.settings());
    assert!(running.verify(&good(&pair, "k")).await.is_ok());
    let header = json!({ "alg": "HS256", "kid": "k" });
    for secret in [pair.public_pem.as_bytes(), pair.jwk["n"].as_str().unwrap().as_bytes()] {
        let forged = by_hand(&header, &claims(json!({})), secret);
        assert_eq!(running.verify(&forged).await, Err(TokenError::BadSignature));
    }
}

#[tokio::test]
async fn a_rotated_key_is_fetched_when_its_first_token_arrives() {
    let (old, new) = (Pair::p256(), Pair::p256());
    let server = JwksServer::start(Answer::Keys(vec![old.jwk_named("old")])).await;
    let running = Running::start(server.settings());
    assert!(running.verify(&good(&old, "old")).await.is_ok());
    server.answer(Answer::Keys(vec![new.jwk_named("new")]));
    // Only an unknown kid asks for a fetch, so until then the old set is in force.
    assert!(running.verify(&good(&old, "old")).await.is_ok());
    running.until(&good(&new, "new"), Ok(())).await;
    running.until(&good(&old, "old"), Err(TokenError::UnknownKey)).await;
}

#[tokio::test]
async fn a_withdrawn_key_stops_working_by_the_regular_fetch() {
    let (old, new) = (Pair::p256(), Pair::p256());
    let server = JwksServer::start(Answer::Keys(vec![old.jwk_named("k")])).await;
    let refresh_every = Duration::from_millis(20);
    let running = Running::start(JwksSettings { refresh_every, ..server.settings() });
    assert!(running.verify(&good(&old, "k")).await.is_ok());
    server.answer(Answer::Keys(vec![new.jwk_named("k")]));
    running.until(&good(&old, "k"), Err(TokenError::BadSignature)).await;
    assert!(running.verify(&good(&new, "k")).await.is_ok());
}

#[tokio::test]
async fn the_last_good_set_stays_while_the_issuer_is_broken() {
    let pair = Pair::p256();
    let server = JwksServer::start(Answer::Keys(vec![pair.jwk_named("k")])).await;
    let refresh_every = Duration::from_millis(5);
    let running = Running::start(JwksSettings { refresh_every, ..server.settings() });
    assert!(running.verify(&good(&pair, "k")).await.is_ok());
    let other = Pair::p256();
    let too_large = json!({ "keys": [other.jwk_named("n")] });
    for broken in [
        Answer::Status(StatusCode::INTERNAL_SERVER_ERROR),
        Answer::Text("<html>".to_owned()),
        Answer::Keys(vec![]),
        Answer::Text(format!("{}{too_large}", " ".repeat(300 * 1024))),
        Answer::Moved(vec![other.jwk_named("n")]),
    ] {
        server.answer(broken);
        let fetched = server.fetches();
        let again = async {
            while server.fetches() < fetched + 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), again).await.expect("fetches go on");
        assert!(running.verify(&good(&pair, "k")).await.is_ok());
    }
    let other = Pair::p256();
    assert_eq!(running.verify(&good(&other, "n")).await, Err(TokenError::KeysUnavailable));
    server.answer(Answer::Keys(vec![other.jwk_named("n")]));
    running.until(&good(&other, "n"), Ok(())).await;
}

#[tokio::test]
async fn made_up_kids_do_not_flood_the_issuer() {
    let pair = Pair::p256();
    let server = JwksServer::start(Answer::Keys(vec![pair.jwk_named("k")])).await;
    let min_refetch_interval = Duration::from_secs(600);
    let running = Running::start(JwksSettings { min_refetch_interval, ..server.settings() });
    assert!(running.verify(&good(&pair, "k")).await.is_ok());
    for n in 0..50 {
        let made_up = good(&pair, &format!("made-up-{n}"));
        assert_eq!(running.verify(&made_up).await, Err(TokenError::UnknownKey));
    }
    assert_eq!(server.fetches(), 1);
}

#[tokio::test]
async fn many_tokens_of_a_new_key_share_one_fetch() {
    let (old, new) = (Pair::p256(), Pair::p256());
    let server = JwksServer::start(Answer::Keys(vec![old.jwk_named("old")])).await;
    let min_refetch_interval = Duration::from_millis(300);
    let running = Running::start(JwksSettings { min_refetch_interval, ..server.settings() });
    assert!(running.verify(&good(&old, "old")).await.is_ok());
    server.answer(Answer::Keys(vec![new.jwk_named("new")]));
    let token = good(&new, "new");
    running.until(&token, Ok(())).await;
    let checks = (0..50).map(|_| running.verify(&token));
    for result in futures_util::future::join_all(checks).await {
        assert!(result.is_ok());
    }
    assert_eq!(server.fetches(), 2);
}

#[tokio::test]
async fn without_any_set_the_refusal_says_to_try_again_and_own_tokens_work() {
    let pair = Pair::p256();
    let server = JwksServer::start(Answer::Status(StatusCode::BAD_GATEWAY)).await;
    let running = Running::start(server.settings());
    let token = good(&pair, "k");
    let refused = running.verify(&token).await.unwrap_err();
    assert_eq!(refused, TokenError::KeysUnavailable);
    assert!(refused.is_retryable());
    assert!(running.verify(&own(&claims(json!({ "iss": "tidings" })))).await.is_ok());
    server.answer(Answer::Keys(vec![pair.jwk_named("k")]));
    running.until(&token, Ok(())).await;
}

#[tokio::test]
async fn an_issuer_that_never_answers_holds_nobody_for_longer_than_the_time_out() {
    let server = JwksServer::start(Answer::Never).await;
    let timeout = Duration::from_millis(200);
    let running = Running::start(JwksSettings { timeout, ..server.settings() });
    let token = good(&Pair::p256(), "k");
    let begun = std::time::Instant::now();
    assert_eq!(running.verify(&token).await, Err(TokenError::KeysUnavailable));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn an_issuer_with_an_untrusted_certificate_is_not_believed() {
    let pair = Pair::p256();
    let server = JwksServer::start(Answer::Keys(vec![pair.jwk_named("k")])).await;
    let stranger = JwksServer::start(Answer::Keys(vec![])).await;
    let ca_file = Some(stranger.ca_file.clone());
    let running = Running::start(JwksSettings { ca_file, ..server.settings() });
    let refused = running.verify(&good(&pair, "k")).await;
    assert_eq!(refused, Err(TokenError::KeysUnavailable));
    assert_eq!(server.fetches(), 0);
}

#[tokio::test]
async fn the_issuer_of_the_set_is_checked_for_its_keys_only() {
    let pair = Pair::p256();
    let server = JwksServer::start(Answer::Keys(vec![pair.jwk_named("k")])).await;
    let issuer = Some("https://id.example".to_owned());
    let running = Running::start(JwksSettings { issuer, ..server.settings() });
    let of = |iss: Value| pair.sign(Some("k"), &claims(json!({ "iss": iss })));
    assert!(running.verify(&of(json!("https://id.example"))).await.is_ok());
    assert_eq!(running.verify(&of(json!("other"))).await, Err(TokenError::WrongIssuer));
    assert_eq!(running.verify(&of(json!(null))).await, Err(TokenError::WrongIssuer));
    assert!(running.verify(&shared(&claims(json!({})))).await.is_ok());
}

#[test]
fn only_https_urls_are_taken() {
    for url in ["http://id.example/keys", "", "file:///etc/passwd", "https:/x", "ftp://https://"] {
        let jwks = JwksSettings { url: url.to_owned(), ..JwksSettings::default() };
        let settings = Settings { jwks: Some(jwks), ..Settings::default() };
        assert!(matches!(Verifier::new(&settings), Err(SetupError::JwksNotHttps)), "{url:?}");
    }
}
