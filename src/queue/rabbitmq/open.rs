//! Opens one connection to the broker.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::tcp::RustlsConnector;
use lapin::uri::AMQPUri;
use lapin::{AsyncTcpStream, Connection, ConnectionProperties};

use super::Settings;
use super::error::{failed, unavailable};
use super::state::Purpose;
use crate::queue::QueueError;

/// Connects, by TLS when the URL says so, and logs in, within `connect_timeout`.
pub(super) async fn open(settings: &Settings, purpose: Purpose) -> Result<Connection, QueueError> {
    let limit = settings.connect_timeout;
    let name = format!("tidings {}", purpose.name());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let socket = Socket::default();
    let (kept, tls) = (socket.clone(), settings.tls.clone());
    let runtime = lapin::runtime::default_runtime().map_err(|error| failed("runtime", error))?;
    let connection = Connection::connector(
        settings.uri.clone(),
        runtime,
        async move |uri: AMQPUri, runtime| {
            let connect = async {
                let address = (uri.authority.host.clone(), uri.authority.port);
                let stream = AsyncTcpStream::connect(&runtime, runtime.to_socket_addrs(address)).await?;
                if let AsyncTcpStream::Plain(tcp) = &stream {
                    kept.keep(tcp.get_ref())?;
                }
                match &tls {
                    None => Ok(stream),
                    Some(tls) => {
                        stream.into_rustls(&RustlsConnector::from(tls.clone()), &uri.authority.host).await
                    }
                }
            };
            // The library's thread is in here: without a limit it would stay as long as the kernel tries.
            let stream = tokio::time::timeout(limit, connect).await.unwrap_or_else(|_| Err(timed_out(limit)));
            stream.map_err(lapin::Error::from)
        },
        properties,
    );
    match tokio::time::timeout(limit, connection).await {
        Ok(connection) => {
            socket.forget();
            connection.map_err(|error| failed("connect", error))
        }
        Err(_) => {
            // The library would wait for the rest of the handshake in a thread of its own, one for each attempt.
            socket.shut_down();
            Err(unavailable(format!("no answer to the handshake within {limit:?}")))
        }
    }
}

fn timed_out(limit: Duration) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, format!("cannot connect within {limit:?}"))
}

/// A second handle to the socket, so that we can end what the library waits for.
#[derive(Clone, Default)]
struct Socket(Arc<Mutex<Option<TcpStream>>>);

impl Socket {
    fn keep(&self, socket: &impl AsFd) -> io::Result<()> {
        let handle = socket.as_fd().try_clone_to_owned()?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(TcpStream::from(handle));
        Ok(())
    }

    fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn shut_down(&self) {
        if let Some(socket) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            // It may be closed already.
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
