use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

/// How long a lease holds without renewal. A standby takes over within this and one interval.
pub const HOLDS: Duration = Duration::from_secs(3);
/// How often the holder renews, and a standby asks.
pub const EVERY: Duration = Duration::from_millis(800);

/// Takes or renews the lease by the database's clock. `false`: another one holds it.
pub async fn acquire(pool: &PgPool, holder: Uuid) -> sqlx::Result<bool> {
    let taken = sqlx::query(
        "INSERT INTO projector_lease (one_row, holder, expires_at) \
         VALUES (true, $1, clock_timestamp() + make_interval(secs => $2)) \
         ON CONFLICT (one_row) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
         WHERE projector_lease.holder = $1 OR projector_lease.expires_at < clock_timestamp()",
    )
    .bind(holder)
    .bind(HOLDS.as_secs_f64())
    .execute(pool)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Gives the lease back, so that a standby need not wait for it to run out.
pub async fn release(pool: &PgPool, holder: Uuid) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM projector_lease WHERE holder = $1").bind(holder).execute(pool).await?;
    Ok(())
}
