//! Limits of maintenance transactions. A process may be suspended at any point of them, and must not keep others
//! waiting longer than the lease of a projector holds. Each is called first in its transaction.

use sqlx::PgConnection;

/// Limit below the lease; a process that runs sends its next statement within milliseconds.
const IDLE_WITH_LOCKS: &str = "SET LOCAL idle_in_transaction_session_timeout = '2s'";
/// Limit for reading: rows are folded between two statements, and nobody waits for a transaction that only reads.
const IDLE_READING: &str = "SET LOCAL idle_in_transaction_session_timeout = '60s'";
const SNAPSHOT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

/// Limits a transaction that takes locks others wait for.
pub async fn will_lock(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(IDLE_WITH_LOCKS).execute(tx).await.map(drop)
}

/// Limits a transaction that reads at length. What it sees is fixed by [`take_snapshot`].
pub async fn will_read(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(IDLE_READING).execute(tx).await.map(drop)
}

/// Fixes the snapshot: all further statements of the transaction see what the next one sees.
pub async fn take_snapshot(tx: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(SNAPSHOT).execute(tx).await.map(drop)
}
