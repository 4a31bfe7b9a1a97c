use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// Cancels a transaction's statement when it is dropped with it, as when the caller closes the connection. Without it
/// PostgreSQL would go on: sqlx waits for a statement that nobody awaits any more to end before its connection is used again.
pub struct CancelOnDrop {
    pool: PgPool,
    pid: i32,
    began: DateTime<Utc>,
    armed: bool,
}

impl CancelOnDrop {
    pub fn new(pool: PgPool, pid: i32, began: DateTime<Utc>) -> Self {
        Self { pool, pid, began, armed: true }
    }

    /// The statement has ended.
    pub fn disarm(mut self) {
        self.armed = false;
    }
}

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if !self.armed {
            return;
        }
        let (pool, pid, began) = (self.pool.clone(), self.pid, self.began);
        runtime.spawn(async move {
            let cancelled =
                sqlx::query("SELECT taskfold_cancel_own($1, $2)").bind(pid).bind(began).execute(&pool).await;
            if let Err(error) = cancelled {
                tracing::debug!(%error, "a search whose caller has gone was not cancelled");
            }
        });
    }
}
