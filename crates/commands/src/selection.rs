//! Selection of tasks for bulk commands.

use std::collections::HashSet;

use futures::{StreamExt, TryStreamExt};
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::limits::BULK_FILTER_TASKS;
use taskfold_domain::project::Column;
use taskfold_domain::task::side_tables::PlacementState;
use taskfold_domain::task::{Filter, Situation};
use taskfold_domain::{Access, Refusal};
use uuid::Uuid;

use super::Engine;
use super::envelope::CommandError;

const AT_ONCE: usize = 16;

impl Engine {
    /// Finds the tasks of a project that a filter matches now, in the order of the board, by the log and not by read tables
    /// that may be behind.
    pub async fn matching(&self, project: ProjectId, filter: &Filter) -> Result<Vec<TaskId>, CommandError> {
        let project_state = self.projects.load(project.0, false).await?.state;
        let Some(board) = project_state.board() else { return Ok(Vec::new()) };
        let columns = &board.fields.columns;
        // Tasks keep a removed label and a former member, which match nothing, and those of an archived project take no
        // commands.
        let teams = self.teams_of(Some(board), &[], false).await?;
        let access = Access::new(board, &teams.all);
        if board.fields.archived
            || filter.label_id.is_some_and(|label| !board.fields.has_label(label))
            || filter.assignee_id.is_some_and(|user| access.role_of(user).is_none())
        {
            return Ok(Vec::new());
        }
        // Tasks of archived columns are off the board: they match if they are asked for.
        let is_hidden = |column: &&Column| column.archived && filter.column_id.is_none() && !filter.archived;
        let hidden: Vec<Uuid> = columns.iter().filter(is_hidden).map(|column| column.id.0).collect();
        let columns: Vec<Uuid> = columns.iter().map(|column| column.id.0).collect();
        let state = if filter.archived { PlacementState::Archived } else { PlacementState::OnBoard };
        let candidates = sqlx::query_scalar!(
            r#"
            SELECT task_id FROM task_places
            WHERE project_id = $1 AND ($2::uuid IS NULL OR column_id = $2) AND state = $3 AND column_id <> ALL ($4)
            ORDER BY array_position($5, column_id), rank, task_id LIMIT $6
            "#,
            project.0,
            filter.column_id.map(|column| column.0),
            state as i16,
            &hidden,
            &columns,
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
