//! Selection of tasks for bulk commands.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt};
use taskfold_domain::Refusal;
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::limits::BULK_FILTER_TASKS;
use taskfold_domain::task::side_tables::PlacementState;
use taskfold_domain::task::{Filter, Situation};
use uuid::Uuid;

use super::Engine;
use super::envelope::CommandError;

const AT_ONCE: usize = 16;

impl Engine {
    /// Finds the tasks of a project that a filter matches now, by the log and not by read tables that may be behind.
    pub async fn matching(&self, project: ProjectId, filter: &Filter) -> Result<Vec<TaskId>, CommandError> {
        let state = if filter.archived { PlacementState::Archived } else { PlacementState::OnBoard };
        let candidates = sqlx::query_scalar!(
            r#"
            SELECT task_id FROM task_places
            WHERE project_id = $1 AND ($2::uuid IS NULL OR column_id = $2) AND state = $3
            ORDER BY column_id, rank LIMIT $4
            "#,
            project.0,
            filter.column_id.map(|column| column.0),
            state as i16,
            BULK_FILTER_TASKS + 1,
        )
        .fetch_all(&self.pool)
        .await?;
        if i64::try_from(candidates.len()).unwrap_or(i64::MAX) > BULK_FILTER_TASKS {
            let detail = format!("the project has more than {BULK_FILTER_TASKS} tasks to look through: name a column");
            return Err(Refusal::invalid("/filter", detail).into());
        }
        futures::stream::iter(candidates)
            .map(|id| async move {
                let task = self.tasks.load(id, false).await?.state;
                let matches = matches!(&task.situation, Situation::Present(card) if filter.matches(&card.fields));
                Ok(matches.then_some(TaskId(id)))
            })
            .buffered(AT_ONCE)
            .try_filter_map(|found| async move { Ok(found) })
            .try_collect()
            .await
    }

    /// Keeps the ids of tasks of the project, each once, in their order.
    pub async fn of_project(&self, project: ProjectId, ids: &[TaskId]) -> Result<Vec<TaskId>, CommandError> {
        let asked: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
        let there: Vec<Uuid> = sqlx::query_scalar!(
            "SELECT task_id FROM task_places WHERE project_id = $1 AND task_id = ANY ($2)",
            project.0,
            &asked
        )
        .fetch_all(&self.pool)
        .await?;
        let mut left: HashSet<Uuid> = there.into_iter().collect();
        Ok(ids.iter().copied().filter(|id| left.remove(&id.0)).collect())
    }
}
