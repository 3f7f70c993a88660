//! The conversation that the examples in `docs/protocol.md` come from.

use reqwest::Method;
use serde_json::{Value, json};

use super::examples::Examples;
use crate::support::client::{Client, Upgrade, http, token};
use crate::support::world::World;

/// People who talk while it is written down.
pub struct Scene {
    world: World,
    pub examples: Examples,
}

fn client_id() -> Value {
    json!(uuid::Uuid::new_v4())
}

impl Scene {
    pub async fn new() -> Self {
        Self { world: World::dev(&[]).await, examples: Examples::default() }
    }

    /// Says a frame, and keeps it.
    async fn say(&mut self, client: &mut Client, name: &str, frame: Value) {
        self.examples.add(name, &frame);
        client.send(frame).await;
    }

    /// Waits for a frame, and keeps it.
    async fn hear(&mut self, client: &mut Client, kind: &str, name: &str) -> Value {
        let frame = client.expect(kind).await;
        self.examples.add(name, &frame);
        frame
    }

    /// Waits for an entry of a kind, and keeps it.
    async fn entry(&mut self, client: &mut Client, kind: &str) -> Value {
        let frame = client.find(|frame| frame["type"] == "message" && frame["kind"] == kind, kind).await;
        self.examples.add(&format!("message {kind}"), &frame);
        frame
    }

    /// Waits for a refusal, and keeps it.
    async fn refusal(&mut self, client: &mut Client, code: &str) {
        let frame = client.error().await;
        assert_eq!(frame["code"], code, "{frame}");
        self.examples.add(&format!("error {code}"), &frame);
    }

    /// Asks by HTTP, and keeps the answer.
    async fn ask(
        &mut self,
        name: &str,
        user: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> Value {
        if let Some(body) = &body {
            self.examples.add(&format!("http {name} request"), body);
        }
        let (_, answer) = http(self.world.here, user, method, path, body).await;
        self.examples.add(&format!("http {name}"), &answer);
        answer
    }

    /// Everything that one run of `tidings dev` shows.
    pub async fn play(&mut self) {
        let mut alice = self.arrival().await;
        let (mut bob, _) = Client::login(self.world.there, "bob").await;
        let id = self.messages(&mut alice, &mut bob).await;
        self.positions(&mut alice, &mut bob, &id).await;
        self.changes(&mut alice, &mut bob, &id).await;
        self.questions(&mut alice, &id).await;
        self.refusals(&mut alice, &mut bob, &id).await;
        self.group(&mut alice, &mut bob).await;
        self.by_http(&id).await;
        self.end(alice).await;
    }

    async fn arrival(&mut self) -> Client {
        let mut alice = Client::open(self.world.here, Upgrade::default()).await.unwrap();
        let hello = json!({"type": "hello", "ref": "1", "token": token("alice"), "device_id": "phone", "cursors": {}, "active": true});
        self.say(&mut alice, "hello", hello).await;
        self.hear(&mut alice, "welcome", "welcome").await;
        self.hear(&mut alice, "sync", "sync empty").await;
        alice
    }

    async fn messages(&mut self, alice: &mut Client, bob: &mut Client) -> Value {
        let send = json!({"type": "send", "ref": "2", "to": "bob", "client_id": client_id(), "text": "Hello, Bob", "data": {"mood": "good"}});
        self.say(alice, "send", send).await;
        let id = self.hear(alice, "accepted", "accepted").await["conversation_id"].clone();
        self.entry(bob, "text").await;
        self.hear(bob, "conversation", "conversation").await;
        let reply = json!({"type": "send", "conversation_id": id, "client_id": client_id(), "text": "Hello, @alice", "reply_to": 1, "mentions": ["alice"]});
        self.say(bob, "send reply", reply).await;
        alice.message("Hello, @alice").await;
        id
    }

    async fn positions(&mut self, alice: &mut Client, bob: &mut Client, id: &Value) {
        self.say(alice, "ack", json!({"type": "ack", "conversation_id": id, "seq": 2})).await;
        let delivered = |frame: &Value| {
            frame["type"] == "receipt" && frame["delivered_seq"] == 2 && frame["user_id"] == "alice"
        };
        let receipt = bob.find(delivered, "delivered").await;
        self.examples.add("receipt delivered", &receipt);
        self.say(alice, "read", json!({"type": "read", "conversation_id": id, "seq": 2})).await;
        let read = |frame: &Value| {
            frame["type"] == "receipt" && frame["read_seq"] == 2 && frame["user_id"] == "alice"
        };
        let receipt = bob.find(read, "read").await;
        self.examples.add("receipt read", &receipt);
        self.say(alice, "typing", json!({"type": "typing", "conversation_id": id})).await;
        self.hear(bob, "typing", "typing told").await;
    }

    async fn changes(&mut self, alice: &mut Client, bob: &mut Client, id: &Value) {
        let change = |kind: &str, target: i64| json!({"type": kind, "conversation_id": id, "client_id": client_id(), "target_seq": target});
        let mut edit = change("edit", 1);
        edit["text"] = "Good morning, Bob".into();
        self.say(alice, "edit", edit).await;
        self.entry(bob, "edit").await;
        let mut react = change("react", 1);
        react["emoji"] = "👍".into();
        self.say(bob, "react", react).await;
        self.entry(alice, "reaction").await;
        self.say(bob, "delete", change("delete", 2)).await;
        self.entry(alice, "delete").await;
    }

    async fn questions(&mut self, alice: &mut Client, id: &Value) {
        let history = json!({"type": "history", "ref": "3", "conversation_id": id, "after": 0, "limit": 2});
        self.say(alice, "history", history).await;
        self.hear(alice, "history", "history told").await;
        let cursors = json!({id.as_str().unwrap(): 4});
        self.say(alice, "sync", json!({"type": "sync", "ref": "4", "cursors": cursors})).await;
        self.hear(alice, "sync", "sync told").await;
        self.say(alice, "presence", json!({"type": "presence", "ref": "5", "user_ids": ["bob"]})).await;
        self.hear(alice, "presence", "presence told").await;
        self.say(alice, "state", json!({"type": "state", "active": false})).await;
        self.say(alice, "auth", json!({"type": "auth", "ref": "6", "token": token("alice")})).await;
        self.hear(alice, "welcome", "welcome again").await;
        self.say(alice, "ping", json!({"type": "ping", "ref": "7"})).await;
        self.hear(alice, "pong", "pong").await;
    }

    async fn refusals(&mut self, alice: &mut Client, bob: &mut Client, id: &Value) {
        alice.send(json!({"type": "send", "ref": "8", "to": "bob", "client_id": client_id()})).await;
        self.refusal(alice, "bad_request").await;
        alice.send(json!({"type": "auth", "ref": "9", "token": "rubbish"})).await;
        self.refusal(alice, "unauthenticated").await;
        let edit = |target: i64| json!({"type": "edit", "ref": "10", "conversation_id": id, "client_id": client_id(), "target_seq": target, "text": "x"});
        bob.send(edit(1)).await;
        self.refusal(bob, "forbidden").await;
        bob.send(edit(2)).await;
        self.refusal(bob, "conflict").await;
        alice.send(json!({"type": "history", "ref": "11", "conversation_id": client_id()})).await;
        self.refusal(alice, "not_found").await;
        let long = "x".repeat(8 * 1024 + 1);
        alice
            .send(json!({"type": "send", "ref": "12", "to": "bob", "client_id": client_id(), "text": long}))
            .await;
        self.refusal(alice, "too_large").await;
        alice.send(json!({"type": "dance", "ref": "13"})).await;
        self.refusal(alice, "unsupported").await;
    }

    async fn group(&mut self, alice: &mut Client, bob: &mut Client) {
        let made =
            json!({"kind": "group", "title": "Garden", "member_ids": ["bob"], "client_id": client_id()});
        let group = self.ask("group", "alice", Method::POST, "/v1/conversations", Some(made)).await;
        let at = format!("/v1/conversations/{}", group["id"].as_str().unwrap());
        let here = self.world.here;
        http(
            here,
            "alice",
            Method::POST,
            &format!("{at}/members"),
            Some(json!({"user_ids": ["carol", "dave"]})),
        )
        .await;
        self.entry(bob, "member_joined").await;
        http(here, "alice", Method::PATCH, &at, Some(json!({"title": "Our garden"}))).await;
        self.entry(bob, "title_changed").await;
        http(here, "alice", Method::PUT, &format!("{at}/members/carol"), Some(json!({"role": "admin"})))
            .await;
        self.entry(bob, "role_changed").await;
        http(here, "alice", Method::DELETE, &format!("{at}/members/bob"), None).await;
        self.entry(alice, "member_left").await;
        let removed =
            bob.find(|frame| frame["type"] == "conversation" && frame["removed"] == true, "removed").await;
        self.examples.add("conversation removed", &removed);
    }

    async fn by_http(&mut self, id: &Value) {
        let account = json!({"user_id": "erin", "password": "correct horse", "display_name": "Erin"});
        self.ask("account", "nobody", Method::POST, "/v1/accounts", Some(account)).await;
        let message = json!({"to": "bob", "client_id": client_id(), "text": "By HTTP"});
        self.ask("send", "alice", Method::POST, "/v1/messages", Some(message)).await;
        let at = format!("/v1/conversations/{}/messages?before=3", id.as_str().unwrap());
        self.ask("history", "alice", Method::GET, &at, None).await;
        self.ask(
            "conversation",
            "alice",
            Method::GET,
            &format!("/v1/conversations/{}", id.as_str().unwrap()),
            None,
        )
        .await;
        let device = json!({"platform": "fcm", "token": "of the phone", "app_id": "com.example.chat"});
        self.ask("device", "alice", Method::PUT, "/v1/devices/phone", Some(device)).await;
        self.ask("problem", "alice", Method::GET, &format!("/v1/conversations/{}", uuid::Uuid::nil()), None)
            .await;
    }

    async fn end(&mut self, mut alice: Client) {
        self.world.servers[0].signal("TERM");
        self.hear(&mut alice, "reconnect", "reconnect").await;
        assert_eq!(alice.closed().await, 1012);
    }

    /// What needs a server that is set otherwise.
    pub async fn play_limits(&mut self) {
        let world =
            World::dev(&[("gateway__messages_per_second", "1"), ("gateway__message_burst", "1")]).await;
        let (mut alice, _) = Client::login(world.here, "alice").await;
        for _ in 0..2 {
            alice
                .send(
                    json!({"type": "send", "ref": "14", "to": "bob", "client_id": client_id(), "text": "x"}),
                )
                .await;
        }
        self.refusal(&mut alice, "rate_limited").await;

        // Messages that wait for company nearly as long as they may wait at all: soon one waits too long.
        let world = World::dev(&[
            ("ingress__linger", "20ms"),
            ("ingress__linger_above_per_second", "0"),
            ("ingress__max_wait", "21ms"),
        ])
        .await;
        let (mut alice, _) = Client::login(world.here, "alice").await;
        for _ in 0..500 {
            alice
                .send(
                    json!({"type": "send", "ref": "15", "to": "bob", "client_id": client_id(), "text": "x"}),
                )
                .await;
            let settled = |frame: &Value| frame["type"] == "error" || frame["type"] == "accepted";
            let answer = alice.find(settled, "an answer").await;
            if answer["type"] == "error" {
                assert_eq!(answer["code"], "unavailable", "{answer}");
                self.examples.add("error unavailable", &answer);
                return;
            }
        }
        panic!("no message was made to wait too long");
    }

    /// What no healthy server says: written by the code that would.
    pub fn encode_the_rest(&mut self) {
        use tidings::protocol::{ErrorCode, ErrorFrame, Resync, ServerFrame, encode};
        let read = |frame: &ServerFrame<'_>| serde_json::from_slice::<Value>(&encode(frame)).unwrap();
        let resync = read(&ServerFrame::Resync(Resync { reason: "the fan-out was away" }));
        self.examples.add("resync", &resync);
        let internal = read(&ServerFrame::Error(ErrorFrame {
            reference: Some("16"),
            client_id: None,
            conversation_id: None,
            code: ErrorCode::Internal,
            message: "something went wrong here",
            retry_after_ms: None,
        }));
        self.examples.add("error internal", &internal);
    }
}
