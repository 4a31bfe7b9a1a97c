//! Identity of the log. Its id is renewed only when it is adopted: after a restore, or after a failed server lost its
//! last events. Positions remain plain numbers, and those up to the fork mean the same in both logs.

use std::time::Duration;

use sqlx::{PgExecutor, PgPool};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::Worker;
use crate::deadline::{REQUEST, within};

/// Interval at which each process reads the id of the log.
pub const ASK_EVERY: Duration = Duration::from_secs(1);
/// Header of a message with the id of the log, an extension attribute of CloudEvents.
pub const LOG_HEADER: &str = "ce-taskfoldlog";

/// The id of the log, and its adoptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogIdentity {
    pub id: Uuid,
    /// Id before each adoption.
    pub former: Vec<Uuid>,
    /// Fork position of each adoption: the last position in common with the log before it.
    pub forks: Vec<i64>,
}

impl LogIdentity {
    /// Number of adoptions.
    pub fn epoch(&self) -> usize {
        self.forks.len()
    }

    /// Tells whether a position of an earlier epoch is in this log too; `None` for an unknown epoch.
    pub fn shares(&self, epoch: usize, position: i64) -> Option<bool> {
        Some(self.forks.get(epoch..)?.iter().all(|fork| position <= *fork))
    }

    /// Position up to which the log that had this id has the same events; `None` for an unknown id.
    pub fn in_common_with(&self, id: Uuid) -> Option<i64> {
        let epoch = self.former.iter().position(|former| *former == id)?;
        self.forks.get(epoch..)?.iter().min().copied()
    }

    /// Short mark that differs from that of other logs, for entity tags.
    pub fn mark(&self) -> String {
        self.id.simple().to_string().split_off(24)
    }
}

/// Reads the identity of the log.
pub async fn identity(db: impl PgExecutor<'_>) -> sqlx::Result<LogIdentity> {
    sqlx::query_as!(
        LogIdentity,
        r#"
        SELECT ids[cardinality(ids)] AS "id!", trim_array(ids, 1) AS "former!", forks AS "forks!"
        FROM (
            SELECT array_agg(log_id ORDER BY epoch) AS ids,
                   coalesce(array_agg(fork_position ORDER BY epoch) FILTER (WHERE epoch > 0), '{}') AS forks
            FROM log_identities) AS l
        "#
    )
    .fetch_one(db)
    .await
}

/// Reason why the log takes no commands; `None` if it takes them.
pub async fn suspended(db: impl PgExecutor<'_>) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("SELECT suspended FROM log_head").fetch_one(db).await
}

/// Keeps `sender` at the identity of the log, until `shutdown`.
pub async fn watch_identity(pool: PgPool, sender: watch::Sender<LogIdentity>, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(tokio::time::sleep(ASK_EVERY)).await.is_some() {
        match within(REQUEST, identity(&pool)).await {
            Ok(now) => {
                Worker::LogIdentity.succeeded();
                let adopted = sender.send_if_modified(|known| std::mem::replace(known, now.clone()) != now);
                if adopted {
                    tracing::warn!(log_id = %now.id, epoch = now.epoch(), "the log was adopted under another id");
                }
            }
            Err(error) => tracing::debug!(%error, "the identity of the log could not be read"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_an_earlier_log_are_valid_up_to_every_later_fork() {
        let former = vec![Uuid::from_u128(1), Uuid::from_u128(2)];
        let log = LogIdentity { id: Uuid::from_u128(3), former, forks: vec![100, 80] };
        assert_eq!((log.shares(0, 80), log.shares(0, 81), log.shares(1, 81)), (Some(true), Some(false), Some(false)));
        assert_eq!((log.shares(2, 1_000), log.shares(3, 1)), (Some(true), None));
        let in_common = [1, 2, 3].map(|id| log.in_common_with(Uuid::from_u128(id)));
        assert_eq!(in_common, [Some(80), Some(80), None]);
    }
}
