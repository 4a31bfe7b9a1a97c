//! A generation of the read tables beside the one that is read: in a schema of its own, which one connection sees first. How they
//! are made and moved is in `migrations/0016_generations.sql`.

use std::collections::HashSet;
use std::pin::pin;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection, PgPool, Postgres, Transaction};

use crate::ProjectorError;
use crate::step::{Memory, catch_up};
use crate::transactions::will_lock;

/// Which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    /// The one that is built.
    Next,
    /// The one that was read before.
    Previous,
}

/// How long a switch may wait for one table while queries wait behind it.
const LOCK_LIMIT: &str = "SET LOCAL lock_timeout = '100ms'";
/// How long projecting may wait for those who read.
const READERS_LIMIT: Duration = Duration::from_secs(1);
/// Of the two transactions it is the one that must not be lost when PostgreSQL dies.
const DURABLE: &str = "SET LOCAL synchronous_commit = on";
/// Deadline of a transaction that waits for something else.
const STATEMENT_EVERY: Duration = Duration::from_millis(500);
/// Until the next attempt, and how many there are: two minutes at least.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
const ATTEMPTS: u32 = 600;

impl Generation {
    pub fn schema(self) -> &'static str {
        match self {
            Self::Next => "taskfold_next",
            Self::Previous => "taskfold_previous",
        }
    }

    /// A connection for which the names of the read tables mean this generation.
    pub async fn connect(self, pool: &PgPool) -> sqlx::Result<Beside> {
        // For good: its names must not mean this to anybody else.
        let mut connection = pool.acquire().await?.detach();
        let (live,): (String,) = sqlx::query_as("SELECT current_schema()::text").fetch_one(&mut connection).await?;
        sqlx::query("SELECT set_config('search_path', $1 || ', ' || current_setting('search_path'), false)")
            .bind(self.schema())
            .execute(&mut connection)
            .await?;
        Ok(Beside { generation: self, connection, live })
    }
}

/// A connection into a generation that is not the one that is read.
pub struct Beside {
    generation: Generation,
    connection: PgConnection,
    /// The schema of the generation that is read.
    pub live: String,
}

impl Beside {
    pub fn db(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// Projects here what has been projected into the generation that is read.
    pub async fn follow(&mut self) -> Result<i64, ProjectorError> {
        let live = format!("SELECT position FROM {}.projection_checkpoint", self.live);
        let upto = sqlx::query_scalar(&live).fetch_one(&mut self.connection).await?;
        catch_up(&mut self.connection, &mut Memory::default(), upto).await?;
        Ok(upto)
    }

    /// As [`Self::follow`], while nothing is projected there; `look` then sees both at the same place.
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

    /// Makes this the generation that is read, at one position. Waits for transactions that read, in short attempts, so that nobody
    /// waits long for it.
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
        for setting in [LOCK_LIMIT, DURABLE] {
            sqlx::query(setting).execute(&mut *held).await?;
        }
        sqlx::query("SELECT taskfold_generation_switch($1)").bind(self.generation.schema()).execute(&mut *held).await?;
        held.commit().await?;
        Ok(position)
    }

    /// Whoever has a snapshot from before the last rows were written here would miss them, but see that position has them.
    async fn wait_for_readers(&mut self, held: &mut PgConnection) -> Result<(), ProjectorError> {
        let pid = "SELECT pg_backend_pid()";
        let own: Vec<i32> = vec![
            sqlx::query_scalar(pid).fetch_one(&mut *held).await?,
            sqlx::query_scalar(pid).fetch_one(&mut self.connection).await?,
        ];
        let readers = "SELECT pid, began FROM taskfold_generation_readers($1)";
        let before: HashSet<(i32, DateTime<Utc>)> =
            sqlx::query_as(readers).bind(&own).fetch_all(&mut self.connection).await?.into_iter().collect();
        let until = tokio::time::Instant::now() + READERS_LIMIT;
        loop {
            let now: Vec<(i32, DateTime<Utc>)> =
                sqlx::query_as(readers).bind(&own).fetch_all(&mut self.connection).await?;
            if !now.iter().any(|reader| before.contains(reader)) {
                return Ok(());
            }
            if tokio::time::Instant::now() >= until {
                return Err(ProjectorError::ReadersStay);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Nothing is projected into the generation that is read until this transaction ends. The table is locked, and not its row: a projector
/// that waited for the row would stand in the way of the switch, which waits for all who came to the table.
async fn hold(pool: &PgPool) -> sqlx::Result<Transaction<'static, Postgres>> {
    let mut held = pool.begin().await?;
    will_lock(&mut held).await?;
    sqlx::query("LOCK TABLE projection_checkpoint IN EXCLUSIVE MODE").execute(&mut *held).await?;
    Ok(held)
}

/// Works while a transaction keeps its locks: without a statement now and then it is taken for that of a process that was suspended.
async fn keep_up<T>(
    held: &mut PgConnection,
    work: impl Future<Output = Result<T, ProjectorError>>,
) -> Result<T, ProjectorError> {
    let mut work = pin!(work);
    loop {
        match tokio::time::timeout(STATEMENT_EVERY, work.as_mut()).await {
            Ok(done) => return done,
            Err(_) => sqlx::query("SELECT").execute(&mut *held).await.map(drop)?,
        }
    }
}

/// Somebody reads, two waited for each other, or this process was suspended for so long that its locks were taken from it.
fn may_work_later(error: &ProjectorError) -> bool {
    match error {
        ProjectorError::ReadersStay => true,
        // Of the session that was ended. What else is wrong shows when the generation is to follow the other.
        ProjectorError::Database(sqlx::Error::Io(_)) => true,
        ProjectorError::Database(error) => {
            let code = error.as_database_error().and_then(|error| error.code());
            matches!(code.as_deref(), Some("55P03" | "40P01" | "25P03" | "57P01"))
        }
        _ => false,
    }
}
