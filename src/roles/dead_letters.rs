//! `tidings dead-letters`: what could not be stored, for an operator to read and replay.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::cli::DeadLettersCommand;
use crate::config::Loaded;
use crate::queue::embedded;
use crate::queue::rabbitmq::{self, RabbitQueue};
use crate::queue::{Batch, DeadLetter, LetterId, Partitions, Queue};

/// How long it waits for the broker.
const PATIENCE: Duration = Duration::from_secs(10);
/// Letters among which one is looked for.
const ALL: usize = 100_000;

/// Lists, shows or replays; what is to be printed.
pub fn dead_letters(loaded: &Loaded, command: DeadLettersCommand) -> anyhow::Result<String> {
    if loaded.config.rabbitmq.url.is_none() {
        return of_dev(&loaded.config.embedded.data_dir, command);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("no runtime")?;
    runtime.block_on(async {
        let config = &loaded.config;
        config.services()?;
        let settings = rabbitmq::Settings::new(&config.rabbitmq, &config.queue)?;
        let count = std::num::NonZeroU16::new(config.queue.partitions).unwrap_or(std::num::NonZeroU16::MIN);
        let queue: Arc<dyn Queue> = Arc::new(RabbitQueue::connect(settings, Partitions::new(count)));
        tokio::time::timeout(PATIENCE, queue.ping())
            .await
            .context("RabbitMQ does not answer")?
            .context("RabbitMQ")?;
        run(&*queue, command).await
    })
}

async fn run(queue: &dyn Queue, command: DeadLettersCommand) -> anyhow::Result<String> {
    match command {
        DeadLettersCommand::List { limit } => Ok(list(&queue.dead_letters(limit).await?)),
        DeadLettersCommand::Show { id, text } => show_one(&queue.dead_letters(ALL).await?, &id, text),
        DeadLettersCommand::Replay { ids, all } => {
            let ids: Vec<LetterId> = if all { Vec::new() } else { ids.into_iter().map(LetterId).collect() };
            let done = queue.replay(&ids).await?;
            Ok(format!("{} replayed, {} left\n", done.replayed, done.left))
        }
    }
}

/// Those of `tidings dev`, which may run meanwhile. What replaying needs is inside that process.
fn of_dev(folder: &Path, command: DeadLettersCommand) -> anyhow::Result<String> {
    let read = |limit| {
        let none = || {
            format!("rabbitmq.url is not set, and {} is no data folder of `tidings dev`", folder.display())
        };
        embedded::dead_letters(folder, limit).with_context(none)
    };
    match command {
        DeadLettersCommand::List { limit } => Ok(list(&read(limit)?)),
        DeadLettersCommand::Show { id, text } => show_one(&read(ALL)?, &id, text),
        DeadLettersCommand::Replay { .. } => {
            bail!("only the dead letters of a RabbitMQ (rabbitmq.url) can be replayed")
        }
    }
}

fn list(letters: &[DeadLetter]) -> String {
    let mut lines: Vec<String> = letters.iter().map(line).collect();
    lines.push(format!("{} dead letters\n", letters.len()));
    lines.join("\n")
}

fn show_one(letters: &[DeadLetter], id: &str, with_text: bool) -> anyhow::Result<String> {
    let letter = letters.iter().find(|letter| letter.id.0 == id);
    Ok(show(letter.with_context(|| format!("there is no dead letter {id}"))?, with_text))
}

fn line(letter: &DeadLetter) -> String {
    let entries = Batch::decode(&letter.payload).map_or(0, |batch| batch.entries().len());
    format!("{}\t{}\t{}\t{entries} messages\t{}", letter.id.0, letter.dead_at, letter.source, letter.reason)
}

fn show(letter: &DeadLetter, with_text: bool) -> String {
    let mut lines = vec![line(letter)];
    match Batch::decode(&letter.payload) {
        Ok(batch) => {
            for entry in batch.entries() {
                lines.push(format!(
                    "  conversation {} sender {} client_id {} kind {:?} received {}",
                    entry.conversation_id,
                    entry.sender_id,
                    entry.client_id,
                    entry.kind,
                    entry.received_at()
                ));
                if with_text && let Some(text) = &entry.body.text {
                    lines.push(format!("    {text:?}"));
                }
            }
        }
        Err(error) => lines.push(format!("  {} bytes: {error}", letter.payload.len())),
    }
    lines.push(String::new());
    lines.join("\n")
}
