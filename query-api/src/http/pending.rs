//! Targets that are in the log and not in the read tables yet. A request for something that was just created or joined
//! waits for the projection, and is not answered with 404.

use std::time::Duration;

use sqlx::PgPool;
use taskfold_domain::ids::{ProjectId, TaskId, TeamId};
use taskfold_live::Memberships;
use taskfold_web::{Caller, Code, Problem};
use tokio::time::Instant;
use uuid::Uuid;

use super::app::App;
use super::error::ReadError;
use super::projection::wait_until_projected;

/// Limit for waiting, for requests that have none of their own.
const WAIT_LIMIT: Duration = Duration::from_secs(2);

/// Resource that a request names.
#[derive(Clone, Copy, Debug)]
pub enum Target {
    Project(ProjectId),
    Task(TaskId),
    /// Part of a task that the caller may see, such as a comment.
    TaskPart(TaskId),
    Team(TeamId),
}

/// Position from which on the read tables may show the target to the user, if it is after `at`. `None` if no event
/// after `at` can make it visible: callers learn nothing about targets of others.
pub async fn visible_from(app: &App, user: Uuid, target: Target, at: i64) -> sqlx::Result<Option<i64>> {
    let log = app.hub.pool();
    match target {
        Target::Project(project) => project_visible_from(log, user, project.0, at).await,
        Target::Task(task) => task_visible_from(log, user, task, at).await,
        Target::TaskPart(task) => {
            sqlx::query_scalar!(
                r#"
                SELECT position FROM aggregate_heads
                WHERE aggregate_type = 'task' AND aggregate_id = $1 AND position > $2
                "#,
                task.0,
                at,
            )
            .fetch_optional(log)
            .await
        }
        Target::Team(team) => team_visible_from(log, user, team, at).await,
    }
}

/// Considers the user's own events in the project, and those that add the user or one of their teams.
async fn project_visible_from(log: &PgPool, user: Uuid, project: Uuid, at: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"
        SELECT max(position) FROM (
            SELECT e.position FROM events e
            WHERE e.project_id = $1 AND e.position > $3
              AND (e.actor_id = $2 OR e.payload #>> '{changes,member,to,user_id}' = $2::text
                   OR e.payload #>> '{changes,team,to,team_id}'
                      IN (SELECT m.team_id::text FROM team_members m WHERE m.user_id = $2))
            UNION ALL
            SELECT e.position FROM project_teams t
            JOIN events e ON e.aggregate_type = 'team' AND e.aggregate_id = t.team_id::text
            WHERE t.project_id = $1 AND e.position > $3 AND e.payload #>> '{changes,member,to,user_id}' = $2::text) AS news
        "#,
        project,
        user,
        at,
    )
    .fetch_one(log)
    .await
}

async fn task_visible_from(log: &PgPool, user: Uuid, task: TaskId, at: i64) -> sqlx::Result<Option<i64>> {
    let created = sqlx::query!(
        r#"
        SELECT e.project_id AS "project_id!", e.position,
               EXISTS (SELECT FROM project_roles r WHERE r.project_id = e.project_id AND r.user_id = $2) AS "is_member!"
        FROM events e WHERE e.aggregate_type = 'task' AND e.aggregate_id = $1
        ORDER BY e.sequence LIMIT 1
        "#,
        task.to_string(),
        user,
    )
    .fetch_optional(log)
    .await?;
    let Some(created) = created else { return Ok(None) };
    if created.is_member {
        return Ok(Some(created.position).filter(|position| *position > at));
    }
    let joined = project_visible_from(log, user, created.project_id, at).await?;
    Ok(joined.map(|joined| joined.max(created.position)))
}

/// Considers the user's own events in the team, those that add the user, and those that give the team a role in one of
/// the user's projects.
async fn team_visible_from(log: &PgPool, user: Uuid, team: TeamId, at: i64) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"
        SELECT max(position) FROM (
            SELECT e.position FROM events e
            WHERE e.aggregate_type = 'team' AND e.aggregate_id = $1 AND e.position > $3
              AND (e.actor_id = $2 OR e.payload #>> '{changes,member,to,user_id}' = $2::text)
            UNION ALL
            SELECT e.position FROM events e JOIN project_roles r ON r.project_id = e.project_id AND r.user_id = $2
            WHERE e.event_type IN ('project.team_added', 'project.team_role_changed', 'project.team_removed')
              AND coalesce(e.payload #>> '{changes,team,to,team_id}', e.payload #>> '{changes,team,from,team_id}') = $1
              AND e.position > $3) AS news
        "#,
        team.to_string(),
        user,
        at,
    )
    .fetch_one(log)
    .await
}

/// Problem for a target that is in the log and was not projected in time.
pub fn read_model_behind(position: i64) -> Problem {
    let detail = format!("The resource is in the log, and the read model has not reached position {position} yet");
    Problem::new(Code::ReadModelBehind, detail).retry_after(1)
}

/// Reads which of these projects the user may see, and waits for the projection of those that are in the log.
pub async fn memberships(app: &App, user: Uuid, projects: &[Uuid]) -> Result<Memberships, ReadError> {
    let deadline = Instant::now() + WAIT_LIMIT;
    loop {
        let known = app.hub.members().current(user, projects).await?;
        let mut until = None;
        if known.checkpoint < known.head {
            for project in projects.iter().filter(|project| !known.sees(project)) {
                let target = Target::Project(ProjectId(*project));
                until = until.max(visible_from(app, user, target, known.checkpoint).await?);
            }
        }
        let Some(until) = until else { return Ok(known) };
        if !wait_until_projected(app, until, deadline).await {
            return Err(read_model_behind(until).into());
        }
    }
}

/// Requires that the caller may write, and is a member of the project: for resources of the caller's own in a project.
pub async fn require_member(app: &App, caller: &Caller, project: ProjectId) -> Result<Memberships, ReadError> {
    caller.must_write()?;
    caller.must_reach(project)?;
    let known = memberships(app, caller.user_id.0, &[project.0]).await?;
    if known.sees(&project.0) { Ok(known) } else { Err(Problem::not_found().into()) }
}
