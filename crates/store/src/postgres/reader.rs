//! A few connections that read, shared by all callers.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult};
use futures::FutureExt as _;
use tokio::sync::Semaphore;
use tokio_postgres::Row;

use super::options::PostgresOptions;
use super::query::{Ask, ReadStatements};
use super::session::{Connector, Session};
use super::trouble::{overloaded, session_ended, stopped, too_late, unavailable, within};
use crate::contract::StoreError;

/// How the pool gets its connections.
struct Sessions {
    connector: Arc<Connector>,
    answer_ms_max: u64,
}

impl managed::Manager for Sessions {
    type Type = Session<ReadStatements>;
    type Error = StoreError;

    async fn create(&self) -> Result<Self::Type, StoreError> {
        // Rare and large: kept apart from the reads that may need it.
        let create = async {
            let session = self.connector.connect().await?;
            let prepare = ReadStatements::prepare(&session.client);
            let statements = within(self.answer_ms_max, prepare).await?;
            Ok(session.with(statements))
        };
        create.boxed().await
    }

    async fn recycle(&self, session: &mut Self::Type, _: &Metrics) -> RecycleResult<StoreError> {
        if session.client.is_closed() {
            return Err(RecycleError::message("the connection ended"));
        }
        Ok(())
    }
}

/// The way to the connections that read.
pub(super) struct Readers {
    pool: Pool<Sessions>,
    waiting: Semaphore,
    answer_ms_max: u64,
}

impl Readers {
    /// Connects when the first read comes. Must be called within a tokio runtime.
    pub(super) fn new(
        connector: Arc<Connector>,
        options: &PostgresOptions,
    ) -> Result<Self, StoreError> {
        let sessions = Sessions {
            connector,
            answer_ms_max: options.answer_ms_max,
        };
        let pool = Pool::builder(sessions)
            .max_size(options.readers.max(1))
            .build()
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(Self {
            pool,
            waiting: Semaphore::new(options.waiting_reads_max.min(Semaphore::MAX_PERMITS)),
            answer_ms_max: options.answer_ms_max,
        })
    }

    /// Asks the database. A session that turns out to be dead is replaced once: reads are safe to
    /// repeat, and so are sweeps.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Vec<Row>, StoreError> {
        let _waiting = self
            .waiting
            .try_acquire()
            .map_err(|_| overloaded("reads"))?;
        let mut late = std::pin::pin!(tokio::time::sleep(Duration::from_millis(
            self.answer_ms_max
        )));
        let mut may_repeat = true;
        loop {
            let session = tokio::select! {
                session = self.pool.get() => session.map_err(no_session)?,
                () = &mut late => return Err(too_late(self.answer_ms_max)),
            };
            let answer = tokio::select! {
                answer = ask.send(&session) => answer,
                () = &mut late => {
                    // The next caller would wait for this answer first.
                    drop(Object::take(session));
                    return Err(too_late(self.answer_ms_max));
                }
            };
            match answer {
                Ok(rows) => return Ok(rows),
                Err(error) if session_ended(&error) => {
                    drop(Object::take(session));
                    if !std::mem::take(&mut may_repeat) {
                        return Err(unavailable(error));
                    }
                }
                Err(error) => return Err(unavailable(error)),
            }
        }
    }

    /// Takes no more reads.
    pub(super) fn close(&self) {
        self.pool.close();
    }
}

fn no_session(error: PoolError<StoreError>) -> StoreError {
    match error {
        PoolError::Backend(error) => error,
        PoolError::Closed => stopped(),
        PoolError::Timeout(_) | PoolError::NoRuntimeSpecified | PoolError::PostCreateHook(_) => {
            StoreError::Unavailable("no connection".into())
        }
    }
}
