//! Errors of the database as callers see them. Their text never holds keys, values or passwords.

use std::error::Error as _;
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::contract::StoreError;

/// An error of the database or of the way to it.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
pub(super) fn unavailable(error: Error) -> StoreError {
    StoreError::Unavailable(text(&error))
}

/// What happened. Details of the database are left out: they quote keys and values.
pub(super) fn text(error: &Error) -> String {
    if let Some(told) = error.as_db_error() {
        return format!("{} ({})", told.message(), told.code().code());
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Whether the session is gone, as after a restart of the database; another may work.
pub(super) fn session_ended(error: &Error) -> bool {
    error.as_db_error().is_none_or(|told| {
        [
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(told.code())
    })
}

/// The answer of a store that was closed.
pub(super) fn stopped() -> StoreError {
    StoreError::Unavailable("the store has stopped".into())
}

/// The answer when a queue is full.
pub(super) fn overloaded(what: &str) -> StoreError {
    StoreError::Unavailable(format!("overloaded: too many {what} wait"))
}

/// The answer when the database took too long.
pub(super) fn too_late(answer_ms_max: u64) -> StoreError {
    StoreError::Unavailable(format!("no answer within {answer_ms_max} ms"))
}

/// Waits for an answer of the database, and not for ever. Time is the machine's: the network keeps
/// no other.
pub(super) async fn within<T>(
    ms: u64,
    answer: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(Duration::from_millis(ms), answer)
        .await
        .unwrap_or_else(|_| Err(too_late(ms)))
}
