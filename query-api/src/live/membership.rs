//! Who may follow which project, as the read tables have it: of their own, and through teams.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use tokio::sync::{Semaphore, oneshot};
use uuid::Uuid;

/// Questions that are asked at once.
const MOST: usize = 256;

/// What is known of somebody and some projects at one moment.
#[derive(Debug)]
pub struct Memberships {
    /// Up to where the read tables are.
    pub checkpoint: i64,
    /// Where the log ends.
    pub head: i64,
    /// The projects among those asked for that they may see, and whether (also) through a team.
    pub visible: Vec<(Uuid, bool)>,
}

impl Memberships {
    pub fn sees(&self, project: &Uuid) -> bool {
        self.visible.iter().any(|(visible, _)| visible == project)
    }
}

/// It could not be read.
#[derive(Clone, Debug, thiserror::Error)]
#[error(transparent)]
pub struct NotKnown(pub Arc<sqlx::Error>);

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

    /// What the person may see of these projects, as of a moment after the call.
    pub async fn of(&self, user: Uuid, projects: &[Uuid]) -> Known {
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
        let read = self.read(&questions).await.map_err(|error| NotKnown(Arc::new(error)));
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
            let first = visible.partition_point(|(of, ..)| usize::try_from(*of).is_ok_and(|of| of < number));
            let visible = visible.drain(first..).map(|(_, project, team)| (project, team)).collect();
            let _ = question.answer.send(Ok(Memberships { checkpoint, head, visible }));
        }
    }

    /// The checkpoint, the head, and (number of the question, project, through a team) in the order of the questions.
    async fn read(&self, questions: &[Question]) -> sqlx::Result<(i64, i64, Vec<(i32, Uuid, bool)>)> {
        let pairs = || {
            let numbered = (0_i32..).zip(questions);
            numbered.flat_map(|(number, q)| q.projects.iter().map(move |project| (number, q.user, *project)))
        };
        let numbers: Vec<i32> = pairs().map(|(number, ..)| number).collect();
        let users: Vec<Uuid> = pairs().map(|(_, user, _)| user).collect();
        let projects: Vec<Uuid> = pairs().map(|(.., project)| project).collect();
        let (checkpoint, head, numbers, projects, teams): (i64, i64, Vec<i32>, Vec<Uuid>, Vec<bool>) = sqlx::query_as(
            "WITH asked AS (SELECT * FROM unnest($1::integer[], $2::uuid[], $3::uuid[]) AS a(number, user_id, project_id)), \
                  seen AS (SELECT number, project_id, bool_or(team_id IS NOT NULL) AS team \
                           FROM asked JOIN project_roles USING (user_id, project_id) GROUP BY number, project_id) \
             SELECT c.position, h.position, ARRAY(SELECT number FROM seen ORDER BY number, project_id), \
                    ARRAY(SELECT project_id FROM seen ORDER BY number, project_id), \
                    ARRAY(SELECT team FROM seen ORDER BY number, project_id) \
             FROM projection_checkpoint c, log_head h",
        )
        .bind(numbers)
        .bind(users)
        .bind(projects)
        .fetch_one(&self.pool)
        .await?;
        let visible = numbers.into_iter().zip(projects).zip(teams);
        Ok((checkpoint, head, visible.map(|((number, project), team)| (number, project, team)).collect()))
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

/// What became of people's own memberships in projects, as its index in the migrations has it; `of.id`: whose.
macro_rules! own_membership_events {
    () => {
        "events e CROSS JOIN LATERAL (SELECT coalesce( \
             e.payload #>> '{changes,member,to,user_id}', e.payload #>> '{changes,member,from,user_id}')) AS of (id) \
         WHERE e.event_type IN ('project.member_added', 'project.member_role_changed', 'project.member_removed')"
    };
}
pub(super) use own_membership_events;

/// Where the user was last removed from the project, if that was behind `from` and is known to the read tables.
pub async fn removed_at(pool: &PgPool, project: Uuid, user: Uuid, from: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(concat!(
        "SELECT max(e.position) FROM projection_checkpoint c, ",
        own_membership_events!(),
        " AND (of.id, e.position) > ($2::text, $3) AND (of.id, e.position) <= ($2::text, c.position) \
           AND e.event_type = 'project.member_removed' AND e.project_id = $1",
    ))
    .bind(project)
    .bind(user)
    .bind(from)
    .fetch_one(pool)
    .await
}
