//! The upgrade, as client and as server.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The key of the RFC's own example, so that the right answer is a constant as well. A key
/// protects against caches, not against anybody.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Heads longer than this are refused.
const MAX_HEAD: usize = 16 * 1024;

#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    #[error("the upgrade was answered with {0}")]
    Status(String),
    #[error("the other side does not speak WebSocket: {0}")]
    Protocol(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Asks for the upgrade and returns what was read beyond the answer's head.
pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    host: &str,
    path: &str,
    token: Option<&str>,
) -> Result<Vec<u8>, HandshakeError> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Protocol: tidings.v1.json\r\n{authorization}\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let (head, rest) = read_head(stream).await?;
    let status = head.lines().next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        return Err(HandshakeError::Status(status.to_owned()));
    }
    if field(&head, "sec-websocket-accept") != Some(ACCEPT) {
        return Err(HandshakeError::Protocol("wrong Sec-WebSocket-Accept"));
    }
    Ok(rest)
}

/// Answers an upgrade. Returns the user of its bearer token, *not verified*, and the bytes beyond.
pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
) -> Result<(Option<String>, Vec<u8>), HandshakeError> {
    let (head, rest) = read_head(stream).await?;
    let key = field(&head, "sec-websocket-key").ok_or(HandshakeError::Protocol("no key"))?;
    let accept = tungstenite::handshake::derive_accept_key(key.as_bytes());
    let protocol = match field(&head, "sec-websocket-protocol") {
        Some(offered) if offered.contains("tidings.v1.json") => "Sec-WebSocket-Protocol: tidings.v1.json\r\n",
        _ => "",
    };
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{protocol}\r\n"
    );
    stream.write_all(answer.as_bytes()).await?;
    let user = field(&head, "authorization")
        .and_then(|value| value.strip_prefix("Bearer "))
        .and_then(crate::token::unverified_subject);
    Ok((user, rest))
}

async fn read_head<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(String, Vec<u8>), HandshakeError> {
    let mut bytes = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        if let Some(end) = memchr::memmem::find(&bytes, b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            let head =
                String::from_utf8(bytes).map_err(|_| HandshakeError::Protocol("the head is not text"))?;
            return Ok((head, rest));
        }
        if bytes.len() > MAX_HEAD {
            return Err(HandshakeError::Protocol("the head has no end"));
        }
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}
