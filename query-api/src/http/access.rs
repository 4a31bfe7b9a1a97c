use std::collections::HashSet;

use taskfold_domain::Role;
use uuid::Uuid;

use super::answer::digest;
use super::error::ReadError;
use super::pending::Thing;
use super::reading::{Reading, Snapshot};
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

impl Snapshot {
    /// What the caller is in a project, or in that of a task; `None` for a stranger, and for what is not there.
    pub async fn membership(&mut self, thing: Thing) -> Result<Option<Membership>, ReadError> {
        let (project, task) = match thing {
            Thing::Project(project) => (Some(project), None),
            Thing::Task(task) | Thing::PartOf(task) => (None, Some(task)),
            Thing::Team(_) => return Ok(None),
        };
        let member = sqlx::query_as("SELECT * FROM taskfold_membership($1, $2, $3)")
            .bind(project.map(|project| project.0))
            .bind(task.map(|task| task.0))
            .bind(self.position)
            .fetch_optional(&mut *self.db)
            .await?;
        Ok(member)
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

    /// A tag of what this request shows of the project: as long as nothing has happened in it, an answer is as before, and
    /// need not be made to know that. Beside the project's events it names what else an answer depends on: who asks and with
    /// which role (which may come through a team), what is asked, and `more`. Weak (RFC 9110, 8.8.1), because the position in
    /// the answer may differ.
    pub fn tag(&self, reading: &Reading, snapshot: &Snapshot, more: &str) -> String {
        let beside = (reading.caller.user_id, self.role().as_str(), reading.asked(), more, env!("CARGO_PKG_VERSION"));
        let beside = serde_json::to_vec(&beside).unwrap_or_default();
        format!("W/\"{}.{}.{}\"", self.changed, snapshot.generation, digest(&beside))
    }
}
