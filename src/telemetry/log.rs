//! Logs, to standard error: text for people, JSON for machines.
//!
//! Spans are named `area.verb` (`worker.persist`, `gateway.handshake`), their fields are dotted
//! (`conversation.id`). An error is logged once, where it is handled. Never a token, never a
//! message's text.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("log.level is not understood")]
    Level(#[from] tracing_subscriber::filter::ParseError),
    #[error("logging is set up twice")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Sets up logging for the rest of the process.
pub fn init(log: &Log) -> Result<(), LogError> {
    let is_terminal = std::io::stderr().is_terminal();
    let filter = EnvFilter::try_new(&log.level)?;
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

    #[test]
    fn auto_is_text_on_a_terminal_and_json_elsewhere() {
        assert_eq!(form(LogFormat::Auto, true), Form::Text);
        assert_eq!(form(LogFormat::Auto, false), Form::Json);
        assert_eq!(form(LogFormat::Text, false), Form::Text);
        assert_eq!(form(LogFormat::Json, true), Form::Json);
    }
}
