use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

/// How long a lease holds without renewal. A standby takes over within this and one interval.
pub const HOLDS: Duration = Duration::from_secs(3);
/// How often the holder renews, and a standby asks.
pub const EVERY: Duration = Duration::from_millis(800);

/// Outcome of asking for the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAttempt {
    /// Another one holds it.
    Refused,
    /// It is the caller's, who had it before or took it from nobody.
    Held,
    /// It is the caller's now. The projector that had it has neither renewed it nor given it back.
    TakenFrom(Uuid),
}

/// Takes or renews the lease by the database's clock.
pub async fn acquire(pool: &PgPool, holder: Uuid) -> sqlx::Result<LeaseAttempt> {
    let taken: Option<(Option<Uuid>,)> = sqlx::query_as(
        "WITH before AS (SELECT holder FROM projector_lease), taken AS ( \
             INSERT INTO projector_lease (one_row, holder, expires_at) \
             VALUES (true, $1, clock_timestamp() + make_interval(secs => $2)) \
             ON CONFLICT (one_row) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at \
             WHERE projector_lease.holder = $1 OR projector_lease.expires_at < clock_timestamp() \
             RETURNING holder) \
         SELECT before.holder FROM taken LEFT JOIN before ON before.holder <> taken.holder",
    )
    .bind(holder)
    .bind(HOLDS.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    Ok(match taken {
        None => LeaseAttempt::Refused,
        Some((None,)) => LeaseAttempt::Held,
        Some((Some(before),)) => LeaseAttempt::TakenFrom(before),
    })
}

/// Gives the lease back, so that a standby need not wait for it to run out.
pub async fn release(pool: &PgPool, holder: Uuid) -> sqlx::Result<()> {
    sqlx::query("DELETE FROM projector_lease WHERE holder = $1").bind(holder).execute(pool).await?;
    Ok(())
}
