use std::collections::HashSet;

use taskfold_domain::Role;
use taskfold_domain::ids::{ProjectId, TaskId, UserId};
use taskfold_openapi::Problem;
use uuid::Uuid;

use super::error::ReadError;
use super::reading::Snapshot;
use super::stored::Stored;

/// What a member may know of a project, whatever they read in it.
#[derive(sqlx::FromRow)]
pub struct Membership {
    role: Stored<Role>,
    pub archived: bool,
    label_ids: Vec<Uuid>,
}

macro_rules! select_membership {
    ($from:literal) => {
        concat!(
            "SELECT m.role, p.archived, \
                    ARRAY(SELECT (l ->> 'id')::uuid FROM jsonb_array_elements(p.labels) AS l) AS label_ids FROM ",
            $from
        )
    };
}

impl Snapshot {
    /// The caller's membership. Of a project that one may not see nothing is told, not even that it is there;
    /// and a token for one project may not see another.
    pub async fn project(&mut self, project: ProjectId, user: UserId) -> Result<Membership, ReadError> {
        sqlx::query_as(select_membership!(
            "projects p JOIN project_members m ON m.project_id = p.project_id AND m.user_id = $2 \
             WHERE p.project_id = $1 AND ($3::uuid IS NULL OR p.project_id = $3)"
        ))
        .bind(project.0)
        .bind(user.0)
        .bind(self.only.map(|only| only.0))
        .fetch_optional(&mut *self.db)
        .await?
        .ok_or_else(|| Problem::not_found().into())
    }

    /// The same, of the project that a task belongs to.
    pub async fn project_of(&mut self, task: TaskId, user: UserId) -> Result<Membership, ReadError> {
        sqlx::query_as(select_membership!(
            "tasks t JOIN projects p ON p.project_id = t.project_id \
             JOIN project_members m ON m.project_id = p.project_id AND m.user_id = $2 \
             WHERE t.task_id = $1 AND ($3::uuid IS NULL OR p.project_id = $3)"
        ))
        .bind(task.0)
        .bind(user.0)
        .bind(self.only.map(|only| only.0))
        .fetch_optional(&mut *self.db)
        .await?
        .ok_or_else(|| Problem::not_found().into())
    }
}

impl Membership {
    pub fn role(&self) -> Role {
        self.role.0
    }

    /// The labels that the project has now: those that were removed stay on tasks in the log, and are not shown.
    pub fn labels(&self) -> HashSet<Uuid> {
        self.label_ids.iter().copied().collect()
    }
}
