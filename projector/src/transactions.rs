//! Limits of maintenance transactions. A process may be suspended at any point of them, and must not keep others
//! waiting longer than the lease of a projector holds. Each is called first in its transaction.

use sqlx::PgConnection;

/// Limits a transaction that takes locks others wait for, to less than the lease: a process that runs sends its next
/// statement within milliseconds.
pub async fn will_lock(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SET LOCAL idle_in_transaction_session_timeout = '2s'").execute(tx).await.map(drop)
}

/// Locks the log, so that nothing is appended until the transaction ends.
pub async fn lock_log(tx: &mut PgConnection) -> sqlx::Result<()> {
    will_lock(&mut *tx).await?;
    sqlx::query!("SET LOCAL lock_timeout = '5s'").execute(&mut *tx).await?;
    sqlx::query!("SELECT FROM log_head FOR UPDATE").execute(tx).await.map(drop)
}

/// Limits a transaction that reads at length: rows are folded between two statements, and nobody waits for it. What it
/// sees is fixed by [`take_snapshot`].
pub async fn will_read(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SET LOCAL idle_in_transaction_session_timeout = '60s'").execute(tx).await.map(drop)
}

/// Fixes the snapshot: all further statements of the transaction see what the next one sees.
pub async fn take_snapshot(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY").execute(tx).await.map(drop)
}
