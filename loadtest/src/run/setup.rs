//! What has to be there before the clients come: groups, their history, devices. Over HTTP.

use anyhow::{Context, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::checker::{Outcome, Socket};
use crate::generator::Shared;
use crate::scenario::Conversations;

use super::{Options, Progress};

/// Requests at once.
const AT_ONCE: usize = 32;
/// Members that one request may name.
const MEMBERS_AT_ONCE: usize = 1000;

pub async fn prepare(shared: &Shared, options: &Options, progress: &Progress) -> anyhow::Result<()> {
    let groups: Vec<usize> = (0..shared.plan.conversations.len())
        .filter(|index| !shared.plan.conversations[*index].direct)
        .collect();
    let api = &Api::new(options)?;
    if !groups.is_empty() {
        progress.say(&format!("creating {} groups", groups.len()));
        let history = match shared.scenario.conversations {
            Conversations::Groups { history, .. } => history,
            _ => 0,
        };
        stream::iter(groups)
            .map(|index| group(shared, api, index, history))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    if shared.scenario.push.devices {
        progress.say(&format!("registering {} devices", shared.plan.users.len()));
        stream::iter(0..shared.plan.users.len())
            .map(|user| device(shared, api, user))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    Ok(())
}

async fn group(shared: &Shared, api: &Api, index: usize, history: u32) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Created {
        id: Uuid,
    }
    let plan = &shared.plan;
    let members = &plan.conversations[index].members;
    let owner = members[0] as usize;
    let names: Vec<&str> = members[1..].iter().map(|user| plan.users[*user as usize].as_str()).collect();
    let mut chunks = names.chunks(MEMBERS_AT_ONCE);
    let first = chunks.next().unwrap_or_default();
    let body = json!({"kind": "group", "title": format!("load {index}"), "member_ids": first, "client_id": Uuid::new_v4()});
    let path = "/v1/conversations";
    let created: Created = api
        .send(reqwest::Method::POST, path, &shared.tokens[owner], &body)
        .await?
        .json()
        .await
        .context("the answer to a new group")?;
    for more in chunks {
        let path = format!("/v1/conversations/{}/members", created.id);
        api.send(reqwest::Method::POST, &path, &shared.tokens[owner], &json!({"user_ids": more})).await?;
    }
    shared.checker().bind(shared.conversations[index], created.id);
    if names.len() > MEMBERS_AT_ONCE {
        know_the_filling(shared, api, index, created.id).await?;
    }
    let path = format!("/v1/conversations/{}/messages", created.id);
    for turn in 0..history as usize {
        let user = members[turn % members.len()] as usize;
        let at = shared.clock.now_us();
        let client_id = shared.checker().sent(shared.users[user], Socket(0), shared.conversations[index], at);
        let body = json!({"client_id": client_id, "text": shared.text});
        api.send(reqwest::Method::POST, &path, &shared.tokens[user], &body).await?;
        shared.checker().answered(client_id, Outcome::Accepted, Some(created.id));
    }
    Ok(())
}

/// Filling a large group makes an entry of a thousand names a time. Its members come as clients that have listed their
/// conversations: with a cursor behind those.
async fn know_the_filling(shared: &Shared, api: &Api, index: usize, id: Uuid) -> anyhow::Result<()> {
    #[derive(Deserialize)]
    struct Filled {
        last_seq: u32,
    }
    let members = &shared.plan.conversations[index].members;
    let path = format!("/v1/conversations/{id}");
    let answer = api.find(&path, &shared.tokens[members[0] as usize]).await?;
    let filled: Filled = answer.context("the new group is not there")?.json().await?;
    let mut checker = shared.checker();
    for member in members {
        let of_group = |reader: &&_| checker.conversation_of(**reader) == shared.conversations[index];
        if let Some(reader) = shared.readers[*member as usize].iter().find(of_group).copied() {
            checker.begins_after(reader, filled.last_seq);
        }
    }
    Ok(())
}

async fn device(shared: &Shared, api: &Api, user: usize) -> anyhow::Result<()> {
    let body = json!({
        "platform": "fcm",
        "token": format!("{}-{}", shared.plan.users[user], Uuid::new_v4()),
        "app_id": "loadtest",
    });
    api.send(reqwest::Method::PUT, "/v1/devices/load", &shared.tokens[user], &body).await?;
    Ok(())
}

/// The answer was 404.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not there")]
struct NotFound;

/// A client of the HTTP API.
pub struct Api {
    http: reqwest::Client,
    base: String,
}

/// Repeats of a request that was told to come again.
const ATTEMPTS: u32 = 8;

impl Api {
    pub fn new(options: &Options) -> anyhow::Result<Self> {
        let mut http = reqwest::Client::builder().timeout(std::time::Duration::from_secs(30));
        if let Some(file) = &options.ca_file {
            let pem = std::fs::read(file).context("cannot read the CA file")?;
            for certificate in reqwest::Certificate::from_pem_bundle(&pem)? {
                http = http.add_root_certificate(certificate);
            }
        }
        Ok(Self { http: http.build()?, base: options.http_base() })
    }

    /// A request with a body; 429 and 503 are tried again.
    pub async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        token: &str,
        body: &serde_json::Value,
    ) -> anyhow::Result<reqwest::Response> {
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.attempt(path, request.bearer_auth(token).json(body)).await
    }

    /// What is there, or nothing when it is not.
    pub async fn find(&self, path: &str, token: &str) -> anyhow::Result<Option<reqwest::Response>> {
        let request = self.http.get(format!("{}{path}", self.base));
        match self.attempt(path, request.bearer_auth(token)).await {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.downcast_ref() == Some(&NotFound) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn attempt(
        &self,
        path: &str,
        request: reqwest::RequestBuilder,
    ) -> anyhow::Result<reqwest::Response> {
        let mut pause = std::time::Duration::from_millis(50);
        for attempt in 1.. {
            let copy = request.try_clone().context("a request that can be repeated")?;
            match copy.send().await {
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) if answer.status() == reqwest::StatusCode::NOT_FOUND => {
                    return Err(anyhow::Error::new(NotFound).context(path.to_owned()));
                }
                Ok(answer) if !matches!(answer.status().as_u16(), 429 | 503) || attempt == ATTEMPTS => {
                    let status = answer.status();
                    let text = answer.text().await.unwrap_or_default();
                    bail!("{path} was answered with {status}: {text}");
                }
                Err(error) if attempt == ATTEMPTS => return Err(error).context(path.to_owned()),
                _ => tokio::time::sleep(pause).await,
            }
            pause *= 2;
        }
        unreachable!("the loop returns at its last attempt")
    }
}
