//! Lease of the projector that works, by the clock of the database.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

/// Time for which a lease holds without renewal. A standby takes over within this and one interval.
pub const HOLDS: Duration = Duration::from_secs(3);
/// Interval at which the holder renews the lease, and a standby tries to take it.
pub const EVERY: Duration = Duration::from_millis(800);

/// Outcome of asking for the lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseAttempt {
    /// Another one holds it.
    Refused,
    /// The caller holds it, and held it before or took it when nobody did.
    Held,
    /// The caller holds it now. The projector that held it has neither renewed nor released it.
    TakenFrom(Uuid),
}

/// Takes or renews the lease by the database's clock.
pub async fn acquire(pool: &PgPool, holder: Uuid) -> sqlx::Result<LeaseAttempt> {
    let taken = sqlx::query_scalar!(
        r#"
        WITH before AS (SELECT holder FROM projector_lease), taken AS (
            INSERT INTO projector_lease (one_row, holder, expires_at)
            VALUES (true, $1, clock_timestamp() + make_interval(secs => $2))
            ON CONFLICT (one_row) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at
            WHERE projector_lease.holder = $1 OR projector_lease.expires_at < clock_timestamp()
            RETURNING holder)
        SELECT before.holder AS "before?" FROM taken LEFT JOIN before ON before.holder <> taken.holder
        "#,
        holder,
        HOLDS.as_secs_f64(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(match taken {
        None => LeaseAttempt::Refused,
        Some(None) => LeaseAttempt::Held,
        Some(Some(before)) => LeaseAttempt::TakenFrom(before),
    })
}

/// Releases the lease, so that a standby need not wait until it expires.
pub async fn release(pool: &PgPool, holder: Uuid) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM projector_lease WHERE holder = $1", holder).execute(pool).await?;
    Ok(())
}
