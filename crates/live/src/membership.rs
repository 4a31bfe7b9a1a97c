//! Memberships of users in projects, their own and through teams, as the read tables contain them.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use taskfold_domain::limits::REVOCATION_SECONDS;
use taskfold_event_log::deadline::{REQUEST, within};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::revocations;

/// Lookups that one query answers.
const MAX_LOOKUPS_PER_QUERY: usize = 256;
/// Time for the read tables to reach the head of the log before a project is reported as not visible.
const PROJECTION_LIMIT: Duration = Duration::from_secs(2);
/// Poll interval for read tables that are behind.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Projects that a user may see, as of one position.
#[derive(Debug)]
pub struct Memberships {
    /// Position of the read tables.
    pub checkpoint: i64,
    /// Last position of the log.
    pub head: i64,
    /// Visible projects among those asked for.
    pub visible: Vec<Uuid>,
}

impl Memberships {
    pub fn sees(&self, project: &Uuid) -> bool {
        self.visible.contains(project)
    }
}

/// Reasons why memberships could not be read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MembershipError {
    #[error(transparent)]
    Database(#[from] Arc<sqlx::Error>),
    #[error("The read tables are at position {position}, and the log has reached {head}")]
    ReadModelBehind { position: i64, head: i64 },
}

type MembershipResult = Result<Memberships, MembershipError>;

/// Reader of memberships. Thousands of concurrent lookups, as after a restart, share queries: the first caller that
/// finds no query running reads for all that wait.
pub struct MembershipReader {
    pool: PgPool,
    waiting: Mutex<Vec<Lookup>>,
    query_slot: Semaphore,
}

struct Lookup {
    user: Uuid,
    projects: Vec<Uuid>,
    reply: oneshot::Sender<MembershipResult>,
}

impl MembershipReader {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, waiting: Mutex::default(), query_slot: Semaphore::new(1) }
    }

    /// Reads which of these projects the user may see, as of a time after the call. Waits for the read tables to reach
    /// the head of the log before it reports one as not visible: the project, or the membership, may be new.
    pub async fn settled(&self, user: Uuid, projects: &[Uuid]) -> MembershipResult {
        let until = Instant::now() + PROJECTION_LIMIT;
        let mut head = None;
        loop {
            let known = self.current(user, projects).await?;
            let head = *head.get_or_insert(known.head);
            let position = known.checkpoint;
            if position >= head || projects.iter().all(|project| known.sees(project)) {
                return Ok(known);
            }
            if Instant::now() >= until {
                return Err(MembershipError::ReadModelBehind { position, head });
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Reads which of these projects the user may see, as the read tables are now.
    pub async fn current(&self, user: Uuid, projects: &[Uuid]) -> MembershipResult {
        loop {
            let (reply, mut received) = oneshot::channel();
            self.with_waiting(|waiting| waiting.push(Lookup { user, projects: projects.to_vec(), reply }));
            let result = loop {
                tokio::select! {
                    biased;
                    result = &mut received => break result,
                    Ok(_slot) = self.query_slot.acquire() => {
                        let lookups = self.with_waiting(|w| w.drain(..w.len().min(MAX_LOOKUPS_PER_QUERY)).collect());
                        self.answer(lookups).await;
                    }
                }
            };
            // An error means that the caller who read for all was cancelled: try again.
            if let Ok(result) = result {
                return result;
            }
        }
    }

    async fn answer(&self, lookups: Vec<Lookup>) {
        let read = within(REQUEST, self.read(&lookups)).await;
        let (checkpoint, head, mut visible) = match read.map_err(|error| MembershipError::Database(Arc::new(error))) {
            Ok(read) => read,
            Err(error) => {
                for lookup in lookups {
                    // The caller may have been cancelled.
                    let _ = lookup.reply.send(Err(error.clone()));
                }
                return;
            }
        };
        for (number, lookup) in lookups.into_iter().enumerate().rev() {
            let first = visible.partition_point(|(of, _)| usize::try_from(*of).is_ok_and(|of| of < number));
            let visible = visible.drain(first..).map(|(_, project)| project).collect();
            let _ = lookup.reply.send(Ok(Memberships { checkpoint, head, visible }));
        }
    }

    /// Reads the checkpoint, the head, and pairs of lookup number and visible project, in the order of the lookups.
    async fn read(&self, lookups: &[Lookup]) -> sqlx::Result<(i64, i64, Vec<(i32, Uuid)>)> {
        let pairs = || {
            let numbered = (0_i32..).zip(lookups);
            numbered.flat_map(|(number, l)| l.projects.iter().map(move |project| (number, l.user, *project)))
        };
        let numbers: Vec<i32> = pairs().map(|(number, ..)| number).collect();
        let users: Vec<Uuid> = pairs().map(|(_, user, _)| user).collect();
        let projects: Vec<Uuid> = pairs().map(|(.., project)| project).collect();
        let read = sqlx::query!(
            r#"
            WITH asked AS (
                SELECT * FROM unnest($1::integer[], $2::uuid[], $3::uuid[]) AS a (number, user_id, project_id)),
            seen AS (SELECT DISTINCT number, project_id FROM asked JOIN project_roles USING (user_id, project_id))
            SELECT c.position AS checkpoint, h.position AS head,
                   ARRAY(SELECT number FROM seen ORDER BY number, project_id) AS "numbers!",
                   ARRAY(SELECT project_id FROM seen ORDER BY number, project_id) AS "projects!"
            FROM projection_checkpoint c, log_head h
            "#,
            &numbers,
            &users,
            &projects,
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((read.checkpoint, read.head, read.numbers.into_iter().zip(read.projects).collect()))
    }

    fn with_waiting<T>(&self, see: impl FnOnce(&mut Vec<Lookup>) -> T) -> T {
        see(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Users who are not members of a project.
pub struct NonMembers {
    /// Position of the read tables.
    pub checkpoint: i64,
    /// Pairs of project and user.
    pub pairs: Vec<(Uuid, Uuid)>,
}

/// Selects the pairs of project and user in which the user is not a member, directly or through a team.
pub async fn non_members(pool: &PgPool, pairs: &[(Uuid, Uuid)]) -> sqlx::Result<NonMembers> {
    let (projects, users): (Vec<Uuid>, Vec<Uuid>) = pairs.iter().copied().unzip();
    let gone = sqlx::query!(
        r#"
        WITH gone AS (
            SELECT a.project_id, a.user_id FROM unnest($1::uuid[], $2::uuid[]) AS a (project_id, user_id)
            WHERE NOT EXISTS (
                SELECT FROM project_roles r WHERE r.project_id = a.project_id AND r.user_id = a.user_id))
        SELECT c.position AS checkpoint, ARRAY(SELECT project_id FROM gone ORDER BY project_id, user_id) AS "projects!",
               ARRAY(SELECT user_id FROM gone ORDER BY project_id, user_id) AS "users!"
        FROM projection_checkpoint c
        "#,
        &projects,
        &users,
    )
    .fetch_one(pool)
    .await?;
    Ok(NonMembers { checkpoint: gone.checkpoint, pairs: gone.projects.into_iter().zip(gone.users).collect() })
}

/// Position of the event that ended the user's access to a project which they may not see, if it was recorded within
/// the time in which former members are told of it.
pub async fn recently_revoked_at(pool: &PgPool, project: Uuid, user: Uuid) -> sqlx::Result<Option<i64>> {
    let revocations = revocations::of_user(pool, user, &[project], 0, i64::MAX).await?;
    let Some(last) = revocations.last() else { return Ok(None) };
    sqlx::query_scalar!(
        r#"
        SELECT position FROM events
        WHERE position = $1 AND recorded_at > clock_timestamp() - make_interval(secs => $2)
        "#,
        last.position,
        REVOCATION_SECONDS as f64,
    )
    .fetch_optional(pool)
    .await
}

/// Read tables that a query needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequiredTables {
    /// Current memberships, which every version writes.
    Current,
    /// Also notifications and the intervals of past memberships, which must be of this version.
    Intervals,
}

/// Fails unless the read tables contain everything that was published up to `position`. They do not after PostgreSQL
/// lost their last rows (the projector restores them from the log), or until the intervals are rebuilt.
pub async fn require_checkpoint(pool: &PgPool, tables: RequiredTables, position: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "SELECT FROM projection_checkpoint WHERE position >= $1 AND (versions ? 'channel_events' OR NOT $2)",
        position,
        tables == RequiredTables::Intervals,
    )
    .fetch_one(pool)
    .await?;
    Ok(())
}
