//! The port of the operators: `/metrics`, `/healthz/live`, `/healthz/ready`.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Health, Metrics};

/// Time for requests under way when the process ends; a scrape takes milliseconds.
const LAST_REQUESTS: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Ops {
    metrics: Arc<Metrics>,
    health: Health,
}

/// The routes, for [`serve`] and for tests.
pub fn router(metrics: Arc<Metrics>, health: Health) -> Router {
    Router::new()
        .route("/metrics", get(show_metrics))
        .route("/healthz/live", get(live))
        .route("/healthz/ready", get(ready))
        .with_state(Ops { metrics, health })
}

/// Serves until `shutdown`, which should come last: probes and scrapes are answered while
/// clients drain.
pub async fn serve(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    health: Health,
    shutdown: CancellationToken,
) -> io::Result<()> {
    let stop = shutdown.clone();
    let server = axum::serve(listener, router(metrics, health))
        .with_graceful_shutdown(async move { stop.cancelled().await });
    let too_late = async {
        shutdown.cancelled().await;
        tokio::time::sleep(LAST_REQUESTS).await;
    };
    tokio::select! {
        served = server => served,
        () = too_late => Ok(()),
    }
}

async fn show_metrics(State(ops): State<Ops>) -> Response {
    match ops.metrics.to_text() {
        Ok(text) => {
            let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
            (kind, text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "metrics cannot be encoded");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// Never depends on a broker: a restart would not bring it back.
async fn live(State(ops): State<Ops>) -> Response {
    match ops.health.why_broken() {
        None => "ok\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn ready(State(ops): State<Ops>) -> Response {
    let report = ops.health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::telemetry::{
        Gate,
        metrics::{Dependency, Role},
    };

    async fn ask(router: &Router, path: &str) -> (StatusCode, String, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let kind = response.headers().get(header::CONTENT_TYPE).unwrap().to_str().unwrap();
        let (status, kind) = (response.status(), kind.to_owned());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, kind, String::from_utf8(body.to_vec()).unwrap())
    }

    fn ops() -> (Router, Health) {
        let metrics = Arc::new(Metrics::new(Role::Gateway));
        let health = Health::new(metrics.clone());
        (router(metrics, health.clone()), health)
    }

    #[tokio::test]
    async fn metrics_are_served_as_prometheus_text() {
        let (router, _) = ops();
        let (status, kind, body) = ask(&router, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        assert!(body.contains("\ntidings_connections 0\n"), "{body}");
    }

    #[tokio::test]
    async fn readiness_lists_each_check_and_since_when() {
        let (router, health) = ops();
        let postgres = health.dependency(Dependency::Postgres, Gate::UntilFirstUp);
        let (status, _, body) = ask(&router, "/healthz/ready").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["checks"]["postgres"]["state"], "down");
        assert!(body["checks"]["postgres"]["since"].as_str().unwrap().ends_with('Z'));
        postgres.up();
        assert_eq!(ask(&router, "/healthz/ready").await.0, StatusCode::OK);
        health.drain();
        assert_eq!(ask(&router, "/healthz/ready").await.0, StatusCode::SERVICE_UNAVAILABLE);
    }

    #[tokio::test]
    async fn liveness_fails_only_when_the_process_itself_is_broken() {
        let (router, health) = ops();
        health.dependency(Dependency::Redis, Gate::Always).down("away");
        assert_eq!(ask(&router, "/healthz/live").await.0, StatusCode::OK);
        health.broken("a task died");
        let (status, _, body) = ask(&router, "/healthz/live").await;
        assert_eq!((status, body.as_str()), (StatusCode::SERVICE_UNAVAILABLE, "a task died\n"));
    }

    #[tokio::test]
    async fn serving_ends_with_the_token_although_a_connection_stays_open() {
        let (_, health) = ops();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let metrics = Arc::new(Metrics::new(Role::Gateway));
        let server = tokio::spawn(serve(listener, metrics, health, shutdown.clone()));
        let mut open = tokio::net::TcpStream::connect(address).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut open, b"GET /met").await.unwrap();
        shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(10), server).await;
        ended.expect("ends in time").unwrap().unwrap();
    }
}
