//! Reads every conversation again, as a fresh client would, and shows it to the checker.

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use uuid::Uuid;

use crate::checker::{ConversationKey, Entry};
use crate::generator::{Shared, Stored};

use super::setup::Api;
use super::{Options, Progress};

/// Conversations read at once.
const AT_ONCE: usize = 16;
/// Entries of one request.
const PAGE: usize = 200;

#[derive(Deserialize)]
struct Page {
    messages: Vec<Stored>,
    #[serde(default)]
    has_more: bool,
}

pub async fn read_everything(shared: &Shared, options: &Options, progress: &Progress) -> anyhow::Result<()> {
    let api = &Api::new(options)?;
    let conversations: Vec<(ConversationKey, Uuid)> =
        shared.checker().conversations().map(|(key, id, _)| (key, id)).collect();
    let count = conversations.len();
    progress.say(&format!("reading {count} conversations again"));
    let done = &std::sync::atomic::AtomicUsize::new(0);
    stream::iter(conversations)
        .map(|(key, id)| async move {
            let planned = &shared.plan.conversations[key.index()];
            let token = &shared.tokens[planned.members[0] as usize];
            let log = read(api, id, token).await?;
            let entries: Vec<Entry> = log.iter().map(|stored| stored.entry(id)).collect();
            shared.checker().stored(key, entries);
            let done = done.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            progress.now(format!("reading again: {done} of {count} conversations"));
            anyhow::Ok(())
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await
        .context("the messages could not be read again")
}

async fn read(api: &Api, id: Uuid, token: &str) -> anyhow::Result<Vec<Stored>> {
    let mut log: Vec<Stored> = Vec::new();
    loop {
        let after = log.last().map_or(0, |entry| entry.seq);
        let path = format!("/v1/conversations/{id}/messages?after={after}&limit={PAGE}");
        // A conversation that is not there has nothing: the checker says what that means.
        let Some(answer) = api.find(&path, token).await? else {
            return Ok(log);
        };
        let page: Page = answer.json().await.context("a page of history")?;
        let is_last = !page.has_more || page.messages.is_empty();
        log.extend(page.messages);
        if is_last {
            return Ok(log);
        }
    }
}
