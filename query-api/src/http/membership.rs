//! Membership of the caller in the project that a request names.

use std::collections::HashSet;

use taskfold_domain::Role;
use uuid::Uuid;

use super::error::ReadError;
use super::pending::Target;
use super::snapshot::Snapshot;
use super::text_enum::TextEnum;

/// Role of the caller, and properties of the project that every read needs.
pub struct Membership {
    role: TextEnum<Role>,
    pub archived: bool,
    label_ids: Vec<Uuid>,
    /// Position of the project's last projected event.
    changed: i64,
    /// Position of the last event in the log that the read depends on, projected or not.
    logged: i64,
}

impl Snapshot {
    /// Reads the caller's membership in the project of the target. `None` if the project does not exist, or if the
    /// caller is not a member.
    pub async fn membership(&mut self, target: Target) -> Result<Option<Membership>, ReadError> {
        let (project, task) = match target {
            Target::Project(project) => (Some(project), None),
            Target::Task(task) | Target::TaskPart(task) => (None, Some(task)),
            Target::Team(_) => return Ok(None),
        };
        let member = sqlx::query_as!(
            Membership,
            r#"
            SELECT role AS "role!: _", archived AS "archived!", label_ids AS "label_ids!", changed AS "changed!",
                   logged AS "logged!"
            FROM taskfold_membership_v2($1, $2, $3)
            "#,
            project.map(|project| project.0),
            task.map(|task| task.0),
            self.position,
        )
        .fetch_optional(&mut *self.db)
        .await?;
        Ok(member)
    }
}

impl Membership {
    pub fn role(&self) -> Role {
        self.role.0
    }

    /// Labels of the project. Tasks keep removed labels in the log, and they are not shown.
    pub fn labels(&self) -> HashSet<Uuid> {
        self.label_ids.iter().copied().collect()
    }

    /// Position that the read tables must have reached to show everything of the target that the log had.
    pub fn logged(&self) -> i64 {
        self.logged
    }

    /// Position of the project's last projected event.
    pub fn last_change(&self) -> i64 {
        self.changed
    }
}
