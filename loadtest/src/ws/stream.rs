//! A TCP connection, with TLS or without.

use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// The most that one read takes. All sockets of a thread share the buffer.
const READ_BYTES: usize = 64 * 1024;

thread_local! {
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into());
}

pub enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Reads once into the thread's buffer and lends it to `take`. `Ok(0)` is the end.
    /// `take` must not read from another stream.
    pub fn poll_read_with<T>(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&mut [u8]) -> T,
    ) -> Poll<io::Result<(usize, T)>> {
        BUFFER.with_borrow_mut(|buffer| {
            let mut read = ReadBuf::new(buffer);
            let polled = match self {
                Self::Plain(tcp) => Pin::new(tcp).poll_read(context, &mut read),
                Self::Tls(tls) => Pin::new(tls.as_mut()).poll_read(context, &mut read),
            };
            ready!(polled)?;
            let count = read.filled().len();
            Poll::Ready(Ok((count, take(read.filled_mut()))))
        })
    }

    /// Writes as much of `bytes` as the socket takes now and removes it from the front.
    pub fn poll_flush_from(
        &mut self,
        context: &mut Context<'_>,
        bytes: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        let mut done = 0;
        let result = loop {
            if done == bytes.len() {
                break match self {
                    Self::Plain(_) => Poll::Ready(Ok(())),
                    Self::Tls(tls) => Pin::new(tls.as_mut()).poll_flush(context),
                };
            }
            let polled = match self {
                Self::Plain(tcp) => Pin::new(tcp).poll_write(context, &bytes[done..]),
                Self::Tls(tls) => Pin::new(tls.as_mut()).poll_write(context, &bytes[done..]),
            };
            match polled {
                Poll::Ready(Ok(0)) => break Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(count)) => done += count,
                Poll::Ready(Err(error)) => break Poll::Ready(Err(error)),
                Poll::Pending => break Poll::Pending,
            }
        };
        if done == bytes.len() {
            // An idle socket keeps no buffer; a busy one keeps its small one.
            if bytes.capacity() > 4096 {
                *bytes = Vec::new();
            } else {
                bytes.clear();
            }
        } else {
            bytes.drain(..done);
        }
        result
    }
}
