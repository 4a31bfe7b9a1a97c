//! Who may follow which project, as the read tables have it: of their own, and through teams.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use taskfold_event_log::deadline::{REQUEST, within};
use tokio::sync::{Semaphore, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use super::losses;

/// Questions that are asked at once.
const MOST: usize = 256;
/// For the read tables to reach the end that the log had when somebody asked for a project that is not theirs, as far as the tables know.
const BEHIND_LIMIT: Duration = Duration::from_secs(2);
/// Between two looks at read tables that are behind.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What is known of somebody and some projects at one moment.
#[derive(Debug)]
pub struct Memberships {
    /// Up to where the read tables are.
    pub checkpoint: i64,
    /// Where the log ends.
    pub head: i64,
    /// The projects among those asked for that they may see.
    pub visible: Vec<Uuid>,
}

impl Memberships {
    pub fn sees(&self, project: &Uuid) -> bool {
        self.visible.contains(project)
    }
}

/// Why it is not known.
#[derive(Clone, Debug, thiserror::Error)]
pub enum NotKnown {
    #[error(transparent)]
    Unread(#[from] Arc<sqlx::Error>),
    #[error("the read tables are at {position}, and the log was at {head} already")]
    Behind { position: i64, head: i64 },
}

type Known = Result<Memberships, NotKnown>;

/// Asks the database. Thousands who come at once, as after a restart, are asked for together: whoever finds nobody asking
/// does so for all who wait.
pub struct Members {
    pool: PgPool,
    waiting: Mutex<Vec<Question>>,
    asking: Semaphore,
}

struct Question {
    user: Uuid,
    projects: Vec<Uuid>,
    answer: oneshot::Sender<Known>,
}

impl Members {
    pub fn new(pool: PgPool) -> Self {
        Self { pool, waiting: Mutex::default(), asking: Semaphore::new(1) }
    }

    /// What the person may see of these projects, as of a moment after the call. Of one that they cannot see, this is said only when the
    /// read tables have all that the log had: it may just have been made, or they may just have been added to it.
    pub async fn of(&self, user: Uuid, projects: &[Uuid]) -> Known {
        let until = Instant::now() + BEHIND_LIMIT;
        let mut head = None;
        loop {
            let known = self.now(user, projects).await?;
            let head = *head.get_or_insert(known.head);
            let position = known.checkpoint;
            if position >= head || projects.iter().all(|project| known.visible.contains(project)) {
                return Ok(known);
            }
            if Instant::now() >= until {
                return Err(NotKnown::Behind { position, head });
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// The same, as the read tables have it now.
    pub async fn now(&self, user: Uuid, projects: &[Uuid]) -> Known {
        loop {
            let (answer, mut known) = oneshot::channel();
            self.with_waiting(|waiting| waiting.push(Question { user, projects: projects.to_vec(), answer }));
            let unanswered = loop {
                tokio::select! {
                    biased;
                    known = &mut known => break known,
                    Ok(_turn) = self.asking.acquire() => {
                        let questions = self.with_waiting(|w| w.drain(..w.len().min(MOST)).collect());
                        self.ask(questions).await;
                    }
                }
            };
            // Whoever asked for all may have gone away in the middle: then once more.
            if let Ok(known) = unanswered {
                return known;
            }
        }
    }

    async fn ask(&self, questions: Vec<Question>) {
        let read = within(REQUEST, self.read(&questions)).await.map_err(|error| NotKnown::Unread(Arc::new(error)));
        let (checkpoint, head, mut visible) = match read {
            Ok(read) => read,
            Err(error) => {
                for question in questions {
                    // Whoever does not wait any more needs no answer.
                    let _ = question.answer.send(Err(error.clone()));
                }
                return;
            }
        };
        for (number, question) in questions.into_iter().enumerate().rev() {
            let first = visible.partition_point(|(of, _)| usize::try_from(*of).is_ok_and(|of| of < number));
            let visible = visible.drain(first..).map(|(_, project)| project).collect();
            let _ = question.answer.send(Ok(Memberships { checkpoint, head, visible }));
        }
    }

    /// The checkpoint, the head, and (number of the question, project) in the order of the questions.
    async fn read(&self, questions: &[Question]) -> sqlx::Result<(i64, i64, Vec<(i32, Uuid)>)> {
        let pairs = || {
            let numbered = (0_i32..).zip(questions);
            numbered.flat_map(|(number, q)| q.projects.iter().map(move |project| (number, q.user, *project)))
        };
        let numbers: Vec<i32> = pairs().map(|(number, ..)| number).collect();
        let users: Vec<Uuid> = pairs().map(|(_, user, _)| user).collect();
        let projects: Vec<Uuid> = pairs().map(|(.., project)| project).collect();
        let (checkpoint, head, numbers, projects): (i64, i64, Vec<i32>, Vec<Uuid>) = sqlx::query_as(
            "WITH asked AS (SELECT * FROM unnest($1::integer[], $2::uuid[], $3::uuid[]) AS a(number, user_id, project_id)), \
                  seen AS (SELECT DISTINCT number, project_id FROM asked JOIN project_roles USING (user_id, project_id)) \
             SELECT c.position, h.position, ARRAY(SELECT number FROM seen ORDER BY number, project_id), \
                    ARRAY(SELECT project_id FROM seen ORDER BY number, project_id) \
             FROM projection_checkpoint c, log_head h",
        )
        .bind(numbers)
        .bind(users)
        .bind(projects)
        .fetch_one(&self.pool)
        .await?;
        Ok((checkpoint, head, numbers.into_iter().zip(projects).collect()))
    }

    fn with_waiting<T>(&self, see: impl FnOnce(&mut Vec<Question>) -> T) -> T {
        see(&mut self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Who of some people is no member.
pub struct NoMembers {
    /// Up to where the read tables are.
    pub checkpoint: i64,
    /// Project and person.
    pub pairs: Vec<(Uuid, Uuid)>,
}

/// Those of these pairs of a project and a person who are no members, of their own or through a team.
pub async fn no_members(pool: &PgPool, pairs: &[(Uuid, Uuid)]) -> sqlx::Result<NoMembers> {
    let (projects, users): (Vec<Uuid>, Vec<Uuid>) = pairs.iter().copied().unzip();
    let (checkpoint, projects, users): (i64, Vec<Uuid>, Vec<Uuid>) = sqlx::query_as(
        "WITH gone AS (SELECT a.project_id, a.user_id FROM unnest($1::uuid[], $2::uuid[]) AS a (project_id, user_id) \
                       WHERE NOT EXISTS (SELECT FROM project_roles r \
                                         WHERE r.project_id = a.project_id AND r.user_id = a.user_id)) \
         SELECT c.position, ARRAY(SELECT project_id FROM gone ORDER BY project_id, user_id), \
                ARRAY(SELECT user_id FROM gone ORDER BY project_id, user_id) FROM projection_checkpoint c",
    )
    .bind(projects)
    .bind(users)
    .fetch_one(pool)
    .await?;
    Ok(NoMembers { checkpoint, pairs: projects.into_iter().zip(users).collect() })
}

/// Where the user last lost sight of the project, if that was behind `from` and is known to the read tables.
pub async fn removed_at(pool: &PgPool, project: Uuid, user: Uuid, from: i64) -> sqlx::Result<Option<i64>> {
    let losses = losses::of_person(pool, user, &[project], from, i64::MAX).await?;
    Ok(losses.last().map(|loss| loss.position))
}

/// What is read of the read tables: who may see what, or also what was told and who was where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// As every version writes them.
    OfToday,
    /// As this version does.
    WithIntervals,
}

/// Fails while the read tables do not have what was announced up to `position`: they lost it with PostgreSQL, and get it again from the
/// log; or, as far as intervals go, they are yet to be rebuilt.
pub async fn must_have(pool: &PgPool, tables: Tables, position: i64) -> sqlx::Result<()> {
    sqlx::query("SELECT FROM projection_checkpoint WHERE position >= $1 AND (versions ? 'channel_events' OR NOT $2)")
        .bind(position)
        .bind(tables == Tables::WithIntervals)
        .fetch_one(pool)
        .await?;
    Ok(())
}
