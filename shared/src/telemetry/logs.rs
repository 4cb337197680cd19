//! Logs on standard error: pretty for people, JSON for machines.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// Logs or metrics could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter in `log.level` cannot be read.
    #[error("log.level: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something else already logs in this process.
    #[error("logs: {0}")]
    Logs(String),
    /// Something else already measures in this process, or the address is taken.
    #[error("metrics: {0}")]
    Metrics(String),
}

/// Sends logs to standard error, so that standard output stays for results.
pub fn init_logs(config: &Log) -> Result<(), TelemetryError> {
    // The AMQP client warns with the whole payload of a returned message: purchases are not for
    // logs, and the publisher reports the return itself.
    let quiet = format!("lapin=error,{}", config.level);
    let logs = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(quiet)?)
        .with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
        LogFormat::Pretty => logs.with_ansi(std::io::stderr().is_terminal()).try_init(),
    };
    started.map_err(|error| TelemetryError::Logs(error.to_string()))
}
