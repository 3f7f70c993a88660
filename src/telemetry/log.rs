//! Logs, to standard error: text for people, JSON for machines.
//!
//! Spans are named `area.verb` (`worker.persist`, `gateway.handshake`), their fields are dotted
//! (`conversation.id`). An error is logged once, where it is handled. Never a token, never a
//! message's text.

use std::io::IsTerminal;

use tracing_subscriber::filter::ParseError;
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("log.level is not understood")]
    Level(#[from] ParseError),
    #[error("logging is set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up logging for the rest of the process.
pub fn init(log: &Log) -> Result<(), LogError> {
    let is_terminal = std::io::stderr().is_terminal();
    let filter = filter(&log.level)?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let layer = match form(log.format, is_terminal) {
        // `NO_COLOR` is honoured by the layer itself unless colours are forced here.
        Form::Text if is_terminal => lines.boxed(),
        Form::Text => lines.with_ansi(false).boxed(),
        Form::Json => lines.json().flatten_event(true).with_current_span(false).boxed(),
    };
    tracing_subscriber::registry().with(layer.with_filter(filter)).try_init()?;
    Ok(())
}

/// Libraries that log what they carry: the AMQP client a returned message with its payload as a warning, the others frames,
/// commands and parameters below `info`. Whoever really wants that names the library in `log.level`.
const DISCREET: &str =
    "lapin=error,tungstenite=info,tokio_tungstenite=info,fred=info,tokio_postgres=info,hyper=info,h2=info";

/// The operator's directives upon ours: of two for the same target the later counts.
fn filter(level: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::try_new(format!("{DISCREET},{level}"))
}

#[derive(Debug, PartialEq)]
enum Form {
    Text,
    Json,
}

fn form(format: LogFormat, is_terminal: bool) -> Form {
    match format {
        LogFormat::Text => Form::Text,
        LogFormat::Json => Form::Json,
        LogFormat::Auto if is_terminal => Form::Text,
        LogFormat::Auto => Form::Json,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written at a level when a library warns of a message and shows it.
    fn written(level: &str) -> String {
        #[derive(Clone, Default)]
        struct Lines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl std::io::Write for Lines {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let lines = Lines::default();
        let shared = lines.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || shared.clone());
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter(level).unwrap()));
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(target: "lapin::returned_messages", message = ?"the secret text", "Server returned us a message");
            tracing::debug!(target: "tungstenite::protocol", "the secret text");
            tracing::warn!(target: "tidings::queue", "our own words");
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_library_that_shows_messages_is_not_heard_unless_it_is_named() {
        for level in ["info", "debug", "trace", "warn,tidings::worker=debug"] {
            let written = written(level);
            assert!(written.contains("our own words"), "{level}: {written}");
            assert!(!written.contains("the secret text"), "{level}: {written}");
        }
        assert!(written("info,lapin=warn").contains("the secret text"));
    }

    #[test]
    fn auto_is_text_on_a_terminal_and_json_elsewhere() {
        assert_eq!(form(LogFormat::Auto, true), Form::Text);
        assert_eq!(form(LogFormat::Auto, false), Form::Json);
        assert_eq!(form(LogFormat::Text, false), Form::Text);
        assert_eq!(form(LogFormat::Json, true), Form::Json);
    }
}
