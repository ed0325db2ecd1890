//! Logs: to standard error, for people or as JSON lines. Standard output is for answers.

use std::fmt;
use std::io::IsTerminal;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::settings::Log;

/// Logging cannot start.
#[derive(Debug)]
pub struct LoggingError(String);

impl fmt::Display for LoggingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for LoggingError {}

/// Starts logging to standard error for the whole process.
///
/// # Errors
/// `log.level` is no filter, or logging was started before.
pub fn init(settings: &Log) -> Result<(), LoggingError> {
    let subscriber = subscriber(settings, std::io::stderr, std::io::stderr().is_terminal())?;
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| LoggingError(error.to_string()))
}

/// A subscriber that writes where it is told.
///
/// # Errors
/// `log.level` is no filter.
pub fn subscriber<W>(
    settings: &Log,
    writer: W,
    colour: bool,
) -> Result<Box<dyn Subscriber + Send + Sync>, LoggingError>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let level = &settings.level;
    // What the library of the bus would say of its connections, the bus says better.
    let filter = EnvFilter::try_new(format!("async_nats=off,{level}")).map_err(|error| {
        LoggingError(format!(
            "log.level cannot be {level:?}: {error}; expected a level such as info or a filter \
             such as warn,crowdlink_server=debug"
        ))
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer);
    Ok(if settings.json {
        Box::new(builder.json().flatten_event(true).finish())
    } else {
        Box::new(builder.with_ansi(colour).finish())
    })
}
