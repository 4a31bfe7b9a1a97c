use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use taskfold_event_log::{Worker, metrics};
use taskfold_event_log::clock;
use taskfold_event_log::deadline::{REQUEST, within};
use tokio_util::sync::CancellationToken;

use super::{Dependency, Service};

const MEASURE_EVERY: Duration = Duration::from_secs(10);
/// Above it, somebody should look at this machine's clock. What is written has the database's time all the same.
const FAR_OFF: Duration = Duration::from_secs(1);

/// An answer that took longer says too little: it is off by as much as half of it.
const TRUSTED: TimeDelta = TimeDelta::milliseconds(500);

/// Measures how far this machine's clock is from the database's, and corrects it, so that all instances write one time.
pub async fn follow(pool: PgPool, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(MEASURE_EVERY)).await.is_some() {
        if let Err(error) = measure(&pool).await {
            tracing::debug!(%error, "the database's clock could not be read");
        }
    }
}

/// Takes the answer to be of the middle of the time that it took.
pub async fn measure(pool: &PgPool) -> sqlx::Result<()> {
    let before = clock::of_this_machine();
    let theirs: DateTime<Utc> = within(REQUEST, sqlx::query_scalar("SELECT clock_timestamp()").fetch_one(pool)).await?;
    let after = clock::of_this_machine();
    if (after - before).abs() > TRUSTED {
        // Nobody knows when in that time it was said.
        return Ok(());
    }
    let offset = theirs - (before + (after - before) / 2);
    clock::correct(offset);
    metrics::clock_offset().set(offset.as_seconds_f64());
    Worker::Clock.succeeded();
    Ok(())
}

impl Dependency {
    /// How far this machine's clock is from the database's.
    pub fn clock() -> Self {
        let check = Self::new("clock", || {
            Box::pin(async {
                let offset = clock::offset();
                let detail = format!("the database's is {:+.3} s from this machine's", offset.as_seconds_f64());
                if offset.abs().to_std().is_ok_and(|off| off <= FAR_OFF) { Ok(detail) } else { Err(detail) }
            })
        });
        check.degrades(&[Service::Commands, Service::Reads])
    }
}
