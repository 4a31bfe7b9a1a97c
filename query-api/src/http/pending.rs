//! What the log has and the read tables have not yet: what somebody has just made, or just joined, is waited for, and is never said to
//! be missing.

use std::time::Duration;

use sqlx::PgPool;
use taskfold_domain::ids::{ProjectId, TaskId, TeamId};
use taskfold_web::{Caller, Code, Problem};
use tokio::time::Instant;
use uuid::Uuid;

use super::app::App;
use super::error::ReadError;
use super::reading::reached;
use taskfold_live::Memberships;

/// For what is in the log to be projected, where the request does not say how long to wait.
const LIMIT: Duration = Duration::from_secs(2);

/// What a request names.
#[derive(Clone, Copy, Debug)]
pub enum Thing {
    Project(ProjectId),
    Task(TaskId),
    /// A part of a task that its reader sees.
    PartOf(TaskId),
    Team(TeamId),
}

/// The position with which read tables that are at `at` can show it to this person. `None` when no event behind `at` would let them:
/// nobody learns from it of what is not theirs.
pub async fn position(app: &App, user: Uuid, thing: Thing, at: i64) -> sqlx::Result<Option<i64>> {
    let log = app.hub.pool();
    match thing {
        Thing::Project(project) => of_project(log, user, project.0, at).await,
        Thing::Task(task) => of_task(log, user, task, at).await,
        Thing::PartOf(task) => sqlx::query_scalar(
            "SELECT max(position) FROM events WHERE aggregate_type = 'task' AND aggregate_id = $1 AND position > $2",
        )
        .bind(task.to_string())
        .bind(at)
        .fetch_one(log)
        .await,
        Thing::Team(team) => of_team(log, user, team, at).await,
    }
}

/// The person's own events in the project, and those by which they, or their teams, come into it.
async fn of_project(log: &PgPool, user: Uuid, project: Uuid, at: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "SELECT max(position) FROM ( \
             SELECT e.position FROM events e WHERE e.project_id = $1 AND e.position > $3 \
               AND (e.actor_id = $2 OR e.payload #>> '{changes,member,to,user_id}' = $2::text \
                    OR e.payload #>> '{changes,team,to,team_id}' \
                        IN (SELECT m.team_id::text FROM team_members m WHERE m.user_id = $2)) \
             UNION ALL \
             SELECT e.position FROM project_teams t \
                 JOIN events e ON e.aggregate_type = 'team' AND e.aggregate_id = t.team_id::text \
             WHERE t.project_id = $1 AND e.position > $3 AND e.payload #>> '{changes,member,to,user_id}' = $2::text) AS news",
    )
    .bind(project)
    .bind(user)
    .bind(at)
    .fetch_one(log)
    .await
}

async fn of_task(log: &PgPool, user: Uuid, task: TaskId, at: i64) -> sqlx::Result<Option<i64>> {
    let made: Option<(Uuid, i64, bool)> = sqlx::query_as(
        "SELECT e.project_id, e.position, \
                EXISTS (SELECT FROM project_roles r WHERE r.project_id = e.project_id AND r.user_id = $2) \
         FROM events e WHERE e.aggregate_type = 'task' AND e.aggregate_id = $1 ORDER BY e.sequence LIMIT 1",
    )
    .bind(task.to_string())
    .bind(user)
    .fetch_optional(log)
    .await?;
    match made {
        None => Ok(None),
        Some((_, position, true)) => Ok(Some(position).filter(|position| *position > at)),
        Some((project, position, false)) => {
            Ok(of_project(log, user, project, at).await?.map(|joined| joined.max(position)))
        }
    }
}

/// The person's own events of the team, those by which they come into it, and those by which a project of theirs gives it a role.
async fn of_team(log: &PgPool, user: Uuid, team: TeamId, at: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar(
        "SELECT max(position) FROM ( \
             SELECT e.position FROM events e WHERE e.aggregate_type = 'team' AND e.aggregate_id = $1 AND e.position > $3 \
               AND (e.actor_id = $2 OR e.payload #>> '{changes,member,to,user_id}' = $2::text) \
             UNION ALL \
             SELECT e.position FROM events e JOIN project_roles r ON r.project_id = e.project_id AND r.user_id = $2 \
             WHERE e.event_type IN ('project.team_added', 'project.team_role_changed', 'project.team_removed') \
               AND coalesce(e.payload #>> '{changes,team,to,team_id}', e.payload #>> '{changes,team,from,team_id}') = $1 \
               AND e.position > $3) AS news",
    )
    .bind(team.to_string())
    .bind(user)
    .bind(at)
    .fetch_one(log)
    .await
}

/// The answer for what is in the log and was not projected in time.
pub fn behind(asked: i64) -> Problem {
    let detail = format!("It is in the log, and the read model has not reached position {asked} yet");
    Problem::new(Code::ReadModelBehind, detail).retry_after(1)
}

/// What the person may see of these projects, once the read tables have what the log has of them.
pub async fn memberships(app: &App, user: Uuid, projects: &[Uuid]) -> Result<Memberships, ReadError> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let known = app.hub.members().now(user, projects).await?;
        let mut until = None;
        if known.checkpoint < known.head {
            for project in projects.iter().filter(|project| !known.sees(project)) {
                let thing = Thing::Project(ProjectId(*project));
                until = until.max(position(app, user, thing, known.checkpoint).await?);
            }
        }
        let Some(until) = until else { return Ok(known) };
        if !reached(app, until, deadline).await {
            return Err(behind(until).into());
        }
    }
}

/// For something of the caller's own in a project that they see, or are about to.
pub async fn may_keep_in(app: &App, caller: &Caller, project: ProjectId) -> Result<(), ReadError> {
    caller.must_write()?;
    caller.must_reach(project)?;
    let known = memberships(app, caller.user_id.0, &[project.0]).await?;
    if known.sees(&project.0) { Ok(()) } else { Err(Problem::not_found().into()) }
}
