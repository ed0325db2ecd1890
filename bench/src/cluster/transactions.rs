//! The peer: what an application does that votes in PostgreSQL by itself. Each vote inserts a ballot
//! under a unique index and updates the row with the poll's tally, and is answered after its commit.
//! It has neither HTTP nor tokens, and a database of its own on the server that the nodes use.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_postgres::{Client, Config, NoTls, Statement};

use crate::answers::{Answers, Times};
use crate::load::now;
use crate::votes::load::WARM_UP;

const DATABASE: &str = "one_per_vote";
const TABLES: &str = "
    CREATE TABLE ballots (poll text NOT NULL, voter bigint NOT NULL, value int NOT NULL,
        UNIQUE (poll, voter));
    CREATE TABLE tallies (poll text PRIMARY KEY, count bigint NOT NULL, sum bigint NOT NULL);";
const INSERT: &str = "INSERT INTO ballots (poll, voter, value) VALUES ($1, $2, $3)";
const UPDATE: &str = "UPDATE tallies SET count = count + 1, sum = sum + $2 WHERE poll = $1";
const BOTH: &str = "
    WITH ballot AS (
        INSERT INTO ballots (poll, voter, value) VALUES ($1, $2, $3) RETURNING poll, value)
    UPDATE tallies SET count = tallies.count + 1, sum = tallies.sum + ballot.value
        FROM ballot WHERE tallies.poll = ballot.poll";
const COUNT: &str = "
    SELECT count, (SELECT count(*) FROM ballots WHERE poll = $1) FROM tallies WHERE poll = $1";
/// Values voted for.
const OPTIONS: i64 = 4;

/// How a vote is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Manner {
    /// BEGIN, INSERT, UPDATE, COMMIT, as libraries do it: a round trip each.
    Transaction,
    /// Both in one statement, which is a transaction by itself: one round trip.
    Statement,
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Transaction => "transaction",
            Self::Statement => "statement",
        })
    }
}

/// Who votes, and where.
pub(super) struct Transactions {
    /// URL of the server; the database in it stays as it is.
    pub(super) url: String,
    pub(super) callers: usize,
    /// Connections that the callers share.
    pub(super) connections: usize,
    pub(super) time: Duration,
}

impl Transactions {
    /// Makes the database and its tables.
    pub(super) fn prepare(&self) -> Result<()> {
        block_on(async {
            let mut tasks = JoinSet::new();
            let config: Config = self.url.parse()?;
            let server = connect(&config, &mut tasks).await?;
            let create = format!("CREATE DATABASE {DATABASE}");
            server.batch_execute(&create).await?;
            let database = connect(&self.config()?, &mut tasks).await?;
            Ok(database.batch_execute(TABLES).await?)
        })
    }

    /// Votes on a poll of this round.
    pub(super) fn measure(&self, manner: Manner, round: u32) -> Result<Answers> {
        block_on(self.vote(manner, format!("{manner}-{round}")))
    }

    fn config(&self) -> Result<Config> {
        let mut config: Config = self.url.parse()?;
        config.dbname(DATABASE);
        Ok(config)
    }

    async fn vote(&self, manner: Manner, poll: String) -> Result<Answers> {
        let config = self.config()?;
        let mut tasks = JoinSet::new();
        let first = connect(&config, &mut tasks).await?;
        let add = "INSERT INTO tallies (poll, count, sum) VALUES ($1, 0, 0)";
        first.execute(add, &[&poll]).await?;
        let mut pool = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            let client = connect(&config, &mut tasks).await?;
            pool.push(Arc::new(Mutex::new(Voter::new(client, &poll).await?)));
        }
        let (times, next) = (Times::default(), Arc::new(AtomicI64::new(1)));
        let mut voting = JoinSet::new();
        for voter in pool.iter().cycle().take(self.callers) {
            let (voter, times) = (Arc::clone(voter), times.clone());
            voting.spawn(keep_voting(voter, manner, Arc::clone(&next), times));
        }
        let measured = async {
            sleep(WARM_UP).await;
            times.count(self.time).await
        };
        let answers = tokio::select! {
            measured = measured => measured,
            failed = voting.join_next() => failed.context("no callers")??,
        }?;
        voting.shutdown().await;
        let counted = first.query_one(COUNT, &[&poll]).await?;
        let (tally, ballots): (i64, i64) = (counted.try_get(0)?, counted.try_get(1)?);
        anyhow::ensure!(tally == ballots, "{tally} votes of {ballots} ballots");
        Ok(answers)
    }
}

fn block_on<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(work)
}

/// A connection, driven by a task of its own.
async fn connect(config: &Config, tasks: &mut JoinSet<()>) -> Result<Client> {
    let (client, connection) = config.connect(NoTls).await?;
    tasks.spawn(async {
        // Its error is told to whoever asks next.
        let _ = connection.await;
    });
    client.batch_execute("SET synchronous_commit = on").await?;
    Ok(client)
}

/// A connection with its statements.
struct Voter {
    client: Client,
    poll: String,
    insert: Statement,
    update: Statement,
    both: Statement,
}

impl Voter {
    async fn new(client: Client, poll: &str) -> Result<Self> {
        Ok(Self {
            poll: poll.to_owned(),
            insert: client.prepare(INSERT).await?,
            update: client.prepare(UPDATE).await?,
            both: client.prepare(BOTH).await?,
            client,
        })
    }

    async fn vote(&mut self, manner: Manner, voter: i64) -> Result<()> {
        let value = i32::try_from(voter % OPTIONS)?;
        let updated = match manner {
            Manner::Transaction => {
                let transaction = self.client.transaction().await?;
                let ballot: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                    [&self.poll, &voter, &value];
                transaction.execute(&self.insert, &ballot).await?;
                let tally = &[&self.poll as _, &i64::from(value) as _];
                let updated = transaction.execute(&self.update, tally).await?;
                transaction.commit().await?;
                updated
            }
            Manner::Statement => {
                let ballot: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
                    [&self.poll, &voter, &value];
                self.client.execute(&self.both, &ballot).await?
            }
        };
        anyhow::ensure!(updated == 1, "{updated} tallies were updated");
        Ok(())
    }
}

/// Votes as one caller until it is dropped; ends with an error alone. The time that the caller waits
/// for the connection counts.
async fn keep_voting(
    connection: Arc<Mutex<Voter>>,
    manner: Manner,
    next: Arc<AtomicI64>,
    times: Times,
) -> Result<Answers> {
    loop {
        let voter = next.fetch_add(1, Ordering::Relaxed);
        let start = now();
        connection.lock().await.vote(manner, voter).await?;
        times.answered(start)?;
    }
}
