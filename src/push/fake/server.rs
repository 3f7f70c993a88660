use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Fault;
use super::answer::{Answers, Asked, Said};

/// The real ones refuse at 4 or 5 KiB; this is only so that nobody fills our memory.
const MAX_BODY: usize = 64 * 1024;
/// A client gets this long to say who it is.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After GOAWAY the connection stays this long without answering what is on it.
const GOAWAY_LINGER: Duration = Duration::from_millis(20);

/// How a connection ends before its time.
#[derive(Clone, Copy)]
enum End {
    Goaway,
    Reset,
}

/// Accepts connections until stopped.
pub(super) async fn serve<S: Answers>(
    listener: TcpListener,
    tls: TlsAcceptor,
    service: Arc<S>,
    max_streams: u32,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: give others time to close theirs.
            tokio::time::sleep(Duration::from_millis(20)).await;
            continue;
        };
        let connection = connection(stream, tls.clone(), Arc::clone(&service), max_streams);
        let stop = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                result = connection => if let Err(error) = result {
                    tracing::debug!(%error, "fake push connection ended");
                },
            }
        });
    }
}

async fn connection<S: Answers>(
    stream: TcpStream,
    tls: TlsAcceptor,
    service: Arc<S>,
    max_streams: u32,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    // A second handle on the socket, because a reset needs an option set on it at the very end.
    let socket = stream.into_std()?;
    let twin = socket.try_clone()?;
    let stream = tokio::time::timeout(HANDSHAKE, tls.accept(TcpStream::from_std(socket)?)).await??;
    let has_client_certificate = stream.get_ref().1.peer_certificates().is_some();

    let (end, mut ended) = mpsc::channel(1);
    service.world().count_connection(service.kind());
    let answer = service_fn(move |request| {
        let (service, end) = (Arc::clone(&service), end.clone());
        async move { Ok::<_, Infallible>(respond(request, &*service, has_client_certificate, &end).await) }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http2().max_concurrent_streams(max_streams);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), answer));
    let end = tokio::select! {
        _ = connection.as_mut() => return Ok(()),
        end = ended.recv() => end,
    };
    match end {
        Some(End::Goaway) => {
            connection.as_mut().graceful_shutdown();
            // It may well end by itself; what counts is that it ends.
            let _ = tokio::time::timeout(GOAWAY_LINGER, connection).await;
            Ok(())
        }
        Some(End::Reset) => socket2::SockRef::from(&twin).set_linger(Some(Duration::ZERO)),
        None => Ok(()),
    }
}

async fn respond<S: Answers>(
    request: Request<Incoming>,
    service: &S,
    has_client_certificate: bool,
    end: &mpsc::Sender<End>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY).collect().await else {
        return response(service.refusal(413, None));
    };
    let asked = Asked {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        headers: parts.headers,
        body: body.to_bytes(),
        has_client_certificate,
    };
    let (addressed, token) = service.addressed(&asked);
    let Some(rule) = service.world().next_fault(addressed, token.as_deref()) else {
        return response(service.answer(&asked));
    };
    if rule.delivered {
        service.answer(&asked);
    }
    match rule.fault {
        Fault::Answer { status, reason, retry_after, body } => {
            let mut said = service.refusal(status, reason.as_deref());
            if let Some(body) = body {
                said.body = body;
            }
            if let Some(after) = retry_after {
                said = said.header("retry-after", after);
            }
            response(said)
        }
        Fault::Slow(milliseconds) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            response(service.answer(&asked))
        }
        Fault::Goaway => never(end, End::Goaway).await,
        Fault::Reset => never(end, End::Reset).await,
    }
}

/// Ends the connection and with it this request, which is never answered.
async fn never(end: &mpsc::Sender<End>, how: End) -> Response<Full<Bytes>> {
    // Full means that another request ends it already.
    let _ = end.try_send(how);
    std::future::pending().await
}

fn response(said: Said) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(said.body)));
    *response.status_mut() = StatusCode::from_u16(said.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in said.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
