use std::collections::HashSet;

use taskfold_domain::Role;
use taskfold_domain::ids::{ProjectId, TaskId};
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
    /// The position of the last event of the project that the read tables have.
    changed: i64,
}

macro_rules! select_membership {
    ($from:literal) => {
        concat!(
            "SELECT taskfold_role(p.project_id) AS role, p.archived, \
                    ARRAY(SELECT (l ->> 'id')::uuid FROM jsonb_array_elements(p.labels) AS l) AS label_ids, \
                    coalesce((SELECT max(e.position) FROM events e \
                              WHERE e.project_id = p.project_id AND e.position <= $2), 0) AS changed FROM ",
            $from
        )
    };
}

impl Snapshot {
    /// The caller's membership. Of a project that one may not see nothing is told, not even that it is there: row-level
    /// security hides it.
    pub async fn project(&mut self, project: ProjectId) -> Result<Membership, ReadError> {
        sqlx::query_as(select_membership!("projects p WHERE p.project_id = $1"))
            .bind(project.0)
            .bind(self.position)
            .fetch_optional(&mut *self.db)
            .await?
            .ok_or_else(|| Problem::not_found().into())
    }

    /// The same, of the project that a task belongs to.
    pub async fn project_of(&mut self, task: TaskId) -> Result<Membership, ReadError> {
        sqlx::query_as(select_membership!(
            "tasks t JOIN projects p ON p.project_id = t.project_id WHERE t.task_id = $1"
        ))
        .bind(task.0)
        .bind(self.position)
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

    /// A tag of all that is shown of the project: as long as nothing has happened in it, an answer is as before, and need
    /// not be made to know that. Weak (RFC 9110, 8.8.1), because the position in the answer may differ.
    pub fn tag(&self, snapshot: &Snapshot) -> String {
        let shapes = env!("CARGO_PKG_VERSION");
        format!("W/\"{}.{}.{}.{shapes}\"", self.changed, snapshot.generation, self.role().as_str())
    }
}
