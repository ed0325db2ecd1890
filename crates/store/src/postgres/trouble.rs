//! Errors of the database as callers see them. Their text never holds keys, values or passwords.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use crate::contract::StoreError;

/// An error of the database or of the way to it.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
pub(super) fn unavailable(error: Error) -> StoreError {
    StoreError::Unavailable(text(&error))
}

/// An error of the first attempt to connect: `Unavailable` where waiting may mend it, `Refused`
/// where it cannot, as with a wrong password or a database that there is not.
#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
pub(super) fn opening(error: Error) -> StoreError {
    let text = text(&error);
    if may_mend(&error) {
        StoreError::Unavailable(text)
    } else {
        StoreError::Refused(text)
    }
}

/// Whether another attempt to connect may succeed though nobody changes the URL.
fn may_mend(error: &Error) -> bool {
    let Some(told) = error.as_db_error() else {
        return !is_of_client(error);
    };
    let code = told.code();
    // Connection exceptions, too few resources, and an operator's intervention: a database that
    // starts, ends or has no connection to give.
    let mends = ["08", "53", "57"];
    mends.iter().any(|class| code.code().starts_with(class))
}

/// Whether the fault is of what we were told to connect with: a password that is missing, a
/// certificate that is not good.
fn is_of_client(error: &Error) -> bool {
    let mut cause = error.source();
    let mut is_io = false;
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            // TLS tells so of what the other side shows.
            let unmendable = [io::ErrorKind::InvalidData, io::ErrorKind::InvalidInput];
            if unmendable.contains(&io.kind()) {
                return true;
            }
            is_io = true;
        }
        cause = error.source();
    }
    !is_io && !error.is_closed()
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
