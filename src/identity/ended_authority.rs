//! Reading of the sessions that have ended and the accounts that were disabled.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{Clock, Worker};
use taskfold_web::auth::{AuthorityChange, EndedAuthority};
use tokio_util::sync::CancellationToken;

/// Interval of reading, within which tokens and streams of an ended session end.
const INTERVAL: Duration = Duration::from_secs(1);
/// Time by which a transaction may commit later than it began, and so than the times that it wrote.
const COMMIT_DELAY: TimeDelta = TimeDelta::seconds(30);

/// Number of readings after which all that has ended is read again.
const COMPLETE_EVERY: u32 = 60;

/// Reads all that has ended, and then what ends, until `shutdown`. While the database is unavailable, what is known
/// stays known.
pub struct EndedAuthorityReader {
    pool: PgPool,
    clock: Clock,
    known: EndedAuthority,
    /// Time of the database at the last reading.
    as_of: Option<DateTime<Utc>>,
    readings: u32,
}

impl EndedAuthorityReader {
    pub async fn read(pool: PgPool, clock: Clock, known: EndedAuthority) -> anyhow::Result<Self> {
        let mut reader = Self { pool, clock, known, as_of: None, readings: 0 };
        reader.refresh().await?;
        Ok(reader)
    }

    pub async fn keep_current(mut self, shutdown: CancellationToken) -> anyhow::Result<()> {
        while shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
            if let Err(error) = self.refresh().await {
                tracing::warn!(error = format!("{error:#}"), "the sessions that have ended could not be read");
            }
        }
        Ok(())
    }

    async fn refresh(&mut self) -> anyhow::Result<()> {
        // Everything now and then, because a transaction may have waited longer before it committed.
        let is_complete = self.readings.is_multiple_of(COMPLETE_EVERY);
        let since = self.as_of.map(|at| at - COMMIT_DELAY).filter(|_| !is_complete);
        let reading = sqlx::query!(
            r#"SELECT session_id, user_id, ended AS "ended!", as_of AS "as_of!" FROM taskfold_ended_authority($1)"#,
            since,
        );
        let rows = within(REQUEST, reading.fetch_all(&self.pool)).await.context("reading what has ended")?;
        self.as_of = rows.first().map(|row| row.as_of).or(self.as_of);
        let changes = rows.into_iter().filter_map(|row| match (row.session_id, row.user_id, row.ended) {
            (Some(session), _, _) => Some(AuthorityChange::SessionEnded(session)),
            (None, Some(user), true) => Some(AuthorityChange::AccountDisabled(user)),
            (None, Some(user), false) => Some(AuthorityChange::AccountEnabled(user)),
            (None, None, _) => None,
        });
        self.known.apply(changes, self.clock.unix_seconds());
        self.readings = self.readings.wrapping_add(1);
        Worker::EndedAuthority.succeeded();
        Ok(())
    }
}
