//! Generations of the read tables beside the live one, each in a schema of its own that one connection sees first.
//! `migrations/0016_generations.sql` creates and switches them.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};

use crate::ProjectorError;
use crate::step::{Memory, catch_up};
use crate::transactions::will_lock;

/// A generation beside the live one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// The one under construction.
    Next,
    /// The one that was live before.
    Previous,
}

/// Limit of holding up the projection for transactions that read.
const READERS_LIMIT: Duration = Duration::from_secs(1);
/// Interval of statements in a transaction that waits for something else.
const STATEMENT_EVERY: Duration = Duration::from_millis(500);
/// Pause between attempts, and their number: two minutes at least.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
const ATTEMPTS: u32 = 600;

impl Generation {
    pub fn schema(self) -> &'static str {
        match self {
            Self::Next => "taskfold_next",
            Self::Previous => "taskfold_previous",
        }
    }

    /// Opens a connection for which the names of the read tables mean this generation.
    pub async fn connect(self, pool: &PgPool) -> sqlx::Result<GenerationConnection> {
        // Detached for good: on another user's connection the names must not mean this.
        let mut connection = pool.acquire().await?.detach();
        let live =
            sqlx::query_scalar!(r#"SELECT current_schema()::text AS "schema!""#).fetch_one(&mut connection).await?;
        sqlx::query!(
            "SELECT set_config('search_path', $1::text || ', ' || current_setting('search_path'), false)",
            self.schema(),
        )
        .fetch_one(&mut connection)
        .await?;
        Ok(GenerationConnection { generation: self, connection, live })
    }
}

/// Connection to a generation that is not live.
pub struct GenerationConnection {
    generation: Generation,
    connection: PgConnection,
    /// Schema of the live generation.
    pub live: String,
}

impl GenerationConnection {
    pub fn db(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Projects here what has been projected into the live generation.
    pub async fn follow(&mut self) -> Result<i64, ProjectorError> {
        let live = format!("SELECT position FROM {}.projection_checkpoint", self.live);
        let upto = sqlx::query_scalar(&live).fetch_one(&mut self.connection).await?;
        catch_up(&mut self.connection, &mut Memory::default(), upto).await?;
        Ok(upto)
    }

    /// Catches up as [`Self::follow`] does while nothing is projected into the live generation, so that `look` sees
    /// both at one position.
    pub async fn level<T, F>(&mut self, pool: &PgPool, look: impl FnOnce() -> F) -> Result<T, ProjectorError>
    where
        F: Future<Output = Result<T, ProjectorError>>,
    {
        let mut held = hold(pool).await?;
        let looking = async {
            self.follow().await?;
            look().await
        };
        let seen = keep_up(&mut held, looking).await?;
        held.rollback().await?;
        Ok(seen)
    }

    /// Makes this the live generation, at one position. Waits for transactions that read, in short attempts, so that no
    /// query waits long.
    pub async fn switch(mut self, pool: &PgPool) -> Result<i64, ProjectorError> {
        let mut attempts = 0;
        loop {
            self.follow().await?;
            match self.try_switch(pool).await {
                Err(error) if attempts < ATTEMPTS && may_work_later(&error) => {
                    attempts += 1;
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                Err(error) => return Err(error),
                Ok(position) => {
                    self.connection.close().await?;
                    return Ok(position);
                }
            }
        }
    }

    async fn try_switch(&mut self, pool: &PgPool) -> Result<i64, ProjectorError> {
        let mut held = hold(pool).await?;
        // Committed by itself, before any table moves: see `wait_for_readers`.
        let position = keep_up(&mut held, self.follow()).await?;
        self.wait_for_readers(&mut held).await?;
        // Limits the wait for one table, while queries wait behind it.
        sqlx::query!("SET LOCAL lock_timeout = '100ms'").execute(&mut *held).await?;
        // The second of the two transactions of a switch must not be lost when PostgreSQL dies.
        sqlx::query!("SET LOCAL synchronous_commit = on").execute(&mut *held).await?;
        sqlx::query!("SELECT taskfold_generation_switch($1)", self.generation.schema()).execute(&mut *held).await?;
        held.commit().await?;
        Ok(position)
    }

    /// Waits for transactions with a snapshot from before the last rows were written here: they would miss those rows
    /// at a position that has them.
    async fn wait_for_readers(&mut self, held: &mut PgConnection) -> Result<(), ProjectorError> {
        let own = [backend(held).await?, backend(&mut self.connection).await?];
        let before = readers(&mut self.connection, &own).await?;
        let until = tokio::time::Instant::now() + READERS_LIMIT;
        loop {
            if readers(&mut self.connection, &own).await?.is_disjoint(&before) {
                return Ok(());
            }
            if tokio::time::Instant::now() >= until {
                return Err(ProjectorError::ReadersStay);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Process id of the connection's backend.
async fn backend(db: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::query_scalar!(r#"SELECT pg_backend_pid() AS "pid!""#).fetch_one(db).await
}

/// Other backends with an open snapshot, and the beginning of their transaction.
async fn readers(db: &mut PgConnection, own: &[i32]) -> sqlx::Result<HashSet<(i32, DateTime<Utc>)>> {
    let readers = sqlx::query!(r#"SELECT pid AS "pid!", began AS "began!" FROM taskfold_generation_readers($1)"#, own);
    Ok(readers.fetch_all(db).await?.into_iter().map(|reader| (reader.pid, reader.began)).collect())
}

/// Holds up the projection into the live generation until this transaction ends. The table is locked rather than its
/// row: a projector that waited for the row would block the switch, which waits for all who came to the table.
async fn hold(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut held = pool.begin().await?;
    will_lock(&mut held).await?;
    sqlx::query!("LOCK TABLE projection_checkpoint IN EXCLUSIVE MODE").execute(&mut *held).await?;
    Ok(held)
}

/// Works while a transaction keeps its locks, with a statement now and then: without one it would be ended as that of a
/// suspended process.
async fn keep_up<T>(
    held: &mut PgConnection,
    work: impl Future<Output = Result<T, ProjectorError>>,
) -> Result<T, ProjectorError> {
    let mut work = pin!(work);
    loop {
        match tokio::time::timeout(STATEMENT_EVERY, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) => sqlx::query!("SELECT").execute(&mut *held).await.map(drop)?,
        }
    }
}

/// Tells errors after which another attempt may succeed: the table is being read, a deadlock was broken, or this
/// process was suspended so long that its locks were taken from it.
fn may_work_later(error: &ProjectorError) -> bool {
    match error {
        ProjectorError::ReadersStay => true,
        // The session was ended. Other causes show when the generation follows the live one.
        ProjectorError::Database(sqlx::Error::Io(_)) => true,
        ProjectorError::Database(error) => {
            let code = error.as_database_error().and_then(|error| error.code());
            matches!(code.as_deref(), Some("55P03" | "40P01" | "25P03" | "57P01"))
        }
        ProjectorError::Stream(_)
        | ProjectorError::OtherStream(_)
        | ProjectorError::Forked(_)
        | ProjectorError::ForeignMessage { .. }
        | ProjectorError::Json(_)
        | ProjectorError::CheckpointMoved
        | ProjectorError::OtherVersion
        | ProjectorError::WrittenByLater(_)
        | ProjectorError::Rebuilding
        | ProjectorError::NoWayBack(_) => false,
    }
}
