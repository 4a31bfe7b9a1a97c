//! Offset of the database's clock: measured, applied to the times of this process, and reported.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{Clock, Worker, metrics};
use tokio_util::sync::CancellationToken;

use super::{Dependency, Service};

const MEASURE_EVERY: Duration = Duration::from_secs(10);
/// Offset from which this machine's clock is reported. Times that are written are those of the database in any case.
const MAX_OFFSET: Duration = Duration::from_secs(1);

/// Round trip beyond which a measurement is discarded: its error is up to half of it.
const MAX_ROUND_TRIP: TimeDelta = TimeDelta::milliseconds(500);

/// Measures the offset of the database's clock until `shutdown`, so that all instances write consistent times.
pub async fn follow(clock: Clock, pool: PgPool, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(MEASURE_EVERY)).await.is_some() {
        if let Err(error) = measure(&clock, &pool).await {
            tracing::debug!(%error, "the database's clock could not be read");
        }
    }
}

/// Measures the offset once, on the assumption that the answer is from the middle of the round trip.
pub async fn measure(clock: &Clock, pool: &PgPool) -> sqlx::Result<()> {
    let before = clock.machine_time();
    let asking = sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(pool);
    let theirs: DateTime<Utc> = within(REQUEST, asking).await?;
    let after = clock.machine_time();
    if (after - before).abs() > MAX_ROUND_TRIP {
        return Ok(());
    }
    let offset = theirs - (before + (after - before) / 2);
    clock.correct(offset);
    metrics::clock_offset().set(offset.as_seconds_f64());
    Worker::Clock.succeeded();
    Ok(())
}

impl Dependency {
    /// Offset of the database's clock.
    pub fn clock(clock: Clock) -> Self {
        let check = Self::new("clock", move || {
            let offset = clock.offset();
            Box::pin(async move {
                let detail = format!("the database's clock is {:+.3} s from this machine's", offset.as_seconds_f64());
                if offset.abs().to_std().is_ok_and(|off| off <= MAX_OFFSET) { Ok(detail) } else { Err(detail) }
            })
        });
        check.degrades(&[Service::Commands, Service::Reads])
    }
}
