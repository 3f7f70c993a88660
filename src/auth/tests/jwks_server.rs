//! An issuer: a JWKS by https on this machine, that a test changes, counts and breaks.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::auth::JwksSettings;

#[derive(Clone)]
pub enum Answer {
    Keys(Vec<Value>),
    Text(String),
    Status(StatusCode),
    /// To another address on the same server, with these keys.
    Moved(Vec<Value>),
    Never,
}

pub struct JwksServer {
    pub url: String,
    pub ca_file: PathBuf,
    state: Arc<State>,
    _folder: TempDir,
    _stop: DropGuard,
}

struct State {
    answer: Mutex<Answer>,
    fetches: AtomicUsize,
}

impl JwksServer {
    pub async fn start(answer: Answer) -> Self {
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let ca_file = folder.path().join("ca.pem");
        std::fs::write(&ca_file, made.cert.pem()).unwrap();
        let key = rustls_pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://{}/keys", listener.local_addr().unwrap());
        let state = Arc::new(State { answer: Mutex::new(answer), fetches: AtomicUsize::new(0) });
        let stop = CancellationToken::new();
        let serving = serve(listener, TlsAcceptor::from(Arc::new(tls)), routes(state.clone()));
        tokio::spawn(stop.clone().run_until_cancelled_owned(serving));
        Self { url, ca_file, state, _folder: folder, _stop: stop.drop_guard() }
    }

    pub fn answer(&self, answer: Answer) {
        *self.state.answer.lock().unwrap() = answer;
    }

    pub fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }

    /// Trusts this server; nothing happens by itself for the length of a test.
    pub fn settings(&self) -> JwksSettings {
        JwksSettings {
            url: self.url.clone(),
            issuer: None,
            ca_file: Some(self.ca_file.clone()),
            refresh_every: Duration::from_secs(3600),
            min_refetch_interval: Duration::from_millis(1),
            timeout: Duration::from_secs(20),
        }
    }
}

fn routes(state: Arc<State>) -> Router {
    let moved = state.clone();
    let keys = move || async move {
        state.fetches.fetch_add(1, Ordering::SeqCst);
        let answer = state.answer.lock().unwrap().clone();
        respond(answer).await
    };
    let moved = move || async move {
        match moved.answer.lock().unwrap().clone() {
            Answer::Moved(keys) => axum::Json(json!({ "keys": keys })).into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    };
    Router::new().route("/keys", get(keys)).route("/moved", get(moved))
}

async fn respond(answer: Answer) -> Response {
    match answer {
        Answer::Keys(keys) => axum::Json(json!({ "keys": keys })).into_response(),
        Answer::Text(text) => text.into_response(),
        Answer::Status(status) => status.into_response(),
        Answer::Moved(_) => Redirect::temporary("/moved").into_response(),
        Answer::Never => std::future::pending().await,
    }
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, routes: Router) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, routes) = (tls.clone(), routes.clone());
        tokio::spawn(async move {
            // A client that does not trust us ends here; the test sees its side.
            let Ok(stream) = tls.accept(stream).await else {
                return;
            };
            let service = TowerToHyperService::new(routes);
            let connection =
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            let _ = connection.await;
        });
    }
}
