//! A client that speaks the protocol by hand, so that tests see what is on the wire.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::server::SECRET;

/// How long anything may take that is to happen.
pub const SOON: Duration = Duration::from_secs(30);

/// A token for a user, good for an hour.
pub fn token(user: &str) -> String {
    token_for(user, 3600)
}

/// A token that expires in so many seconds.
pub fn token_for(user: &str, seconds: i64) -> String {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    let claims = json!({"sub": user, "iat": now, "exp": now + seconds});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

pub struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Frames that came while another was waited for.
    pending: VecDeque<Value>,
}

/// What an upgrade may carry.
#[derive(Default)]
pub struct Upgrade<'a> {
    pub bearer: Option<&'a str>,
    pub subprotocol: Option<&'a str>,
    pub origin: Option<&'a str>,
    pub query: &'a str,
    /// What a proxy says of the client.
    pub forwarded_for: Option<&'a str>,
}

impl Client {
    /// Upgrades; says nothing yet.
    pub async fn open(at: SocketAddr, upgrade: Upgrade<'_>) -> Result<Self, tungstenite::Error> {
        let mut request = format!("ws://{at}/v1/ws{}", upgrade.query).into_client_request()?;
        let headers = request.headers_mut();
        if let Some(token) = upgrade.bearer {
            headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        if let Some(name) = upgrade.subprotocol {
            headers.insert("sec-websocket-protocol", name.parse().unwrap());
        }
        if let Some(origin) = upgrade.origin {
            headers.insert("origin", origin.parse().unwrap());
        }
        if let Some(address) = upgrade.forwarded_for {
            headers.insert("x-forwarded-for", address.parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Self { socket, pending: VecDeque::new() })
    }

    /// Connects and logs in; answers the client and its first `sync`.
    pub async fn login(at: SocketAddr, user: &str) -> (Self, Value) {
        Self::login_with(at, user, json!({})).await
    }

    /// Connects and logs in with more in its `hello`.
    pub async fn login_with(at: SocketAddr, user: &str, more: Value) -> (Self, Value) {
        let mut client = Self::open(at, Upgrade::default()).await.expect("the upgrade is answered");
        let mut hello = json!({"type": "hello", "token": token(user)});
        for (key, value) in more.as_object().expect("an object") {
            hello[key] = value.clone();
        }
        client.send(hello).await;
        let welcome = client.expect("welcome").await;
        assert_eq!(welcome["user_id"], user);
        let sync = client.expect("sync").await;
        (client, sync)
    }

    pub async fn send(&mut self, frame: Value) {
        self.raw(Message::text(frame.to_string())).await;
    }

    pub async fn raw(&mut self, message: Message) {
        self.socket.send(message).await.expect("the socket is open");
    }

    /// As [`Self::raw`], to a socket that may be closed meanwhile.
    pub async fn try_raw(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        self.socket.send(message).await
    }

    /// The next frame of this type; others wait for later.
    pub async fn expect(&mut self, kind: &str) -> Value {
        self.find(|frame| frame["type"] == kind, kind).await
    }

    /// The next frame that fits; others wait for later.
    pub async fn find(&mut self, fits: impl Fn(&Value) -> bool, what: &str) -> Value {
        if let Some(place) = self.pending.iter().position(&fits) {
            return self.pending.remove(place).expect("it was just found");
        }
        loop {
            match self.read().await {
                Ok(frame) if fits(&frame) => return frame,
                Ok(frame) => self.pending.push_back(frame),
                Err(close) => panic!("closed ({close:?}) while waiting for {what}; had {:?}", self.pending),
            }
        }
    }

    /// The `message` frame with this text.
    pub async fn message(&mut self, text: &str) -> Value {
        self.find(|frame| frame["type"] == "message" && frame["text"] == text, text).await
    }

    /// The error that answers next.
    pub async fn error(&mut self) -> Value {
        self.expect("error").await
    }

    /// Nothing of this type is here or comes while a ping goes and returns.
    pub async fn expect_none(&mut self, kind: &str) {
        let mark = uuid::Uuid::new_v4().to_string();
        self.send(json!({"type": "ping", "ref": mark})).await;
        self.find(|frame| frame["type"] == "pong" && frame["ref"] == mark, "pong").await;
        let found = self.pending.iter().find(|frame| frame["type"] == kind);
        assert!(found.is_none(), "{found:?}");
    }

    /// Reads to the close; answers its code.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.read().await {
                Ok(frame) => self.pending.push_back(frame),
                Err(Some(close)) => return close.code.into(),
                Err(None) => return 1006,
            }
        }
    }

    /// The next frame, however long it takes; `None` when the socket ended.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).ok(),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn read(&mut self) -> Result<Value, Option<CloseFrame>> {
        loop {
            let next = tokio::time::timeout(SOON, self.socket.next()).await;
            match next.unwrap_or_else(|_| panic!("nothing came within {SOON:?}; had {:?}", self.pending)) {
                Some(Ok(Message::Text(text))) => {
                    return Ok(serde_json::from_str(&text).expect("frames are JSON"));
                }
                Some(Ok(Message::Binary(bytes))) => {
                    return Ok(rmp_serde::from_slice(&bytes).expect("binary frames are MessagePack"));
                }
                Some(Ok(Message::Close(close))) => return Err(close),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// Sends a text to a user; answers the `accepted`.
    pub async fn say_to(&mut self, user: &str, text: &str) -> Value {
        self.say(json!({"to": user}), text).await
    }

    /// Sends a text to a conversation; answers the `accepted`.
    pub async fn say_in(&mut self, conversation: &str, text: &str) -> Value {
        self.say(json!({"conversation_id": conversation}), text).await
    }

    async fn say(&mut self, destination: Value, text: &str) -> Value {
        let client_id = uuid::Uuid::new_v4().to_string();
        let mut frame = json!({"type": "send", "client_id": client_id, "text": text});
        for (key, value) in destination.as_object().expect("an object") {
            frame[key] = value.clone();
        }
        self.send(frame).await;
        self.find(|frame| frame["type"] == "accepted" && frame["client_id"] == client_id, "accepted").await
    }
}

/// An HTTP call as a user; answers status and body.
pub async fn http(
    at: SocketAddr,
    user: &str,
    method: reqwest::Method,
    path: &str,
    body: Option<Value>,
) -> (u16, Value) {
    let mut request =
        reqwest::Client::new().request(method, format!("http://{at}{path}")).bearer_auth(token(user));
    if let Some(body) = body {
        request = request.body(body.to_string()).header("content-type", "application/json");
    }
    let answer = request.send().await.expect("the server answers");
    let status = answer.status().as_u16();
    let text = answer.text().await.expect("the body arrives");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}
