//! Snapshots: read-only transactions under row-level security, in which everything is as of one position.

use sqlx::{PgConnection, Postgres, Transaction};
use taskfold_web::Caller;

use super::app::App;
use super::error::ReadError;

/// Read-only transaction of a caller.
pub struct Snapshot {
    pub db: Transaction<'static, Postgres>,
    /// Position of the read tables.
    pub position: i64,
    /// Last position of the log.
    pub head: i64,
    /// Number of times that rows were rewritten without a new position.
    pub generation: i64,
}

impl Snapshot {
    pub async fn open(app: &App, caller: &Caller) -> Result<Self, ReadError> {
        let mut db = app.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let at = set_caller(&mut db, caller).await?;
        Ok(Self { db, position: at.position, head: at.head, generation: at.generation })
    }

    /// Returns the connection to the pool at once, and not when the snapshot is dropped. There is nothing to commit.
    pub async fn close(self) {
        if let Err(error) = self.db.rollback().await {
            tracing::debug!(%error, "a read transaction could not be rolled back");
        }
    }
}

/// Begins a transaction that writes the caller's own rows, under row-level security.
pub async fn begin_write(app: &App, caller: &Caller) -> Result<Transaction<'static, Postgres>, ReadError> {
    caller.must_write()?;
    let mut db = app.pool.begin().await?;
    set_caller(&mut db, caller).await?;
    Ok(db)
}

/// Serializes the caller's writes to a table until the end of the transaction, so that requests at the same time cannot
/// exceed its limit together.
pub async fn serialize_own(db: &mut PgConnection, table: &str) -> sqlx::Result<()> {
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1 || ' ' || taskfold_user()::text, 0))", table)
        .execute(db)
        .await?;
    Ok(())
}

/// Positions of the read tables and of the log, and the generation of the read tables.
struct At {
    position: i64,
    head: i64,
    generation: i64,
}

/// Sets the caller for row-level security.
async fn set_caller(db: &mut Transaction<'static, Postgres>, caller: &Caller) -> sqlx::Result<At> {
    sqlx::query_as!(
        At,
        r#"
        SELECT c.position, h.position AS head, c.generation
        FROM projection_checkpoint AS c, log_head AS h, set_config('taskfold.user_id', $1, true) AS u,
             set_config('taskfold.project_id', $2, true) AS p
        "#,
        caller.user_id.to_string(),
        caller.scope.project.map(|project| project.to_string()).unwrap_or_default(),
    )
    .fetch_one(&mut **db)
    .await
}
