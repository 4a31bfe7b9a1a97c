//! Ranks for moves, between the neighbours in a column.

use sqlx::PgPool;
use taskfold_domain::ids::{ColumnId, ProjectId, TaskId};
use taskfold_domain::task::Fields;
use taskfold_domain::task::commands::MoveTask;
use taskfold_domain::{Rank, Refusal, Timestamp};

use super::envelope::CommandError;

/// Finds the rank for a move; `None` if the task is in that place already.
pub async fn find(
    pool: &PgPool,
    id: TaskId,
    task: &Fields,
    to: &MoveTask,
    at: Timestamp,
    jitter: u32,
) -> Result<Option<Rank>, CommandError> {
    let here = to.column_id == task.column_id;
    if to.after.is_none() && to.before.is_none() {
        return Ok((!here).then(|| Rank::at_end(at, jitter)));
    }
    let column = Neighbours { pool, id, project: task.project_id, column: to.column_id };
    let (mut lower, mut upper) = (None, None);
    if let Some(Some(after)) = to.after {
        lower = Some(column.rank_of(after, "/after").await?);
    }
    if let Some(Some(before)) = to.before {
        upper = Some(column.rank_of(before, "/before").await?);
    }
    // One neighbour is enough; the other is the one that is there now.
    match (to.after, to.before) {
        (Some(_), None) => upper = column.next_above(lower.as_ref()).await?,
        (None, Some(_)) => lower = column.next_below(upper.as_ref()).await?,
        (Some(_), Some(_)) | (None, None) => {}
    }
    if here && lower.as_ref().is_none_or(|l| *l < task.rank) && upper.as_ref().is_none_or(|u| task.rank < *u) {
        return Ok(None);
    }
    Rank::between(lower.as_ref(), upper.as_ref(), at, jitter)
        .map(Some)
        .ok_or_else(|| Refusal::invalid("/before", "must be below `after`").into())
}

/// Tasks of one column except the one that moves.
struct Neighbours<'a> {
    pool: &'a PgPool,
    id: TaskId,
    project: ProjectId,
    column: ColumnId,
}

impl Neighbours<'_> {
    async fn rank_of(&self, task: TaskId, pointer: &str) -> Result<Rank, CommandError> {
        let rank = sqlx::query_scalar!(
            "SELECT rank FROM task_places WHERE task_id = $1 AND column_id = $2 AND project_id = $3 AND state < 2",
            task.0,
            self.column.0,
            self.project.0,
        )
        .fetch_optional(self.pool)
        .await?;
        rank.filter(|_| task != self.id)
            .map(Rank::from_stored)
            .ok_or_else(|| Refusal::invalid(pointer, "not another task of the column").into())
    }

    async fn next_above(&self, rank: Option<&Rank>) -> Result<Option<Rank>, CommandError> {
        let rank = sqlx::query_scalar!(
            r#"
            SELECT rank FROM task_places WHERE project_id = $1 AND column_id = $2 AND task_id <> $3 AND rank > $4
            ORDER BY rank LIMIT 1
            "#,
            self.project.0,
            self.column.0,
            self.id.0,
            rank.map_or("", Rank::as_str),
        )
        .fetch_optional(self.pool)
        .await?;
        Ok(rank.map(Rank::from_stored))
    }

    async fn next_below(&self, rank: Option<&Rank>) -> Result<Option<Rank>, CommandError> {
        let rank = sqlx::query_scalar!(
            r#"
            SELECT rank FROM task_places WHERE project_id = $1 AND column_id = $2 AND task_id <> $3 AND rank < $4
            ORDER BY rank DESC LIMIT 1
            "#,
            self.project.0,
            self.column.0,
            self.id.0,
            // Above every rank: ranks have ASCII digits and letters only.
            rank.map_or("~", Rank::as_str),
        )
        .fetch_optional(self.pool)
        .await?;
        Ok(rank.map(Rank::from_stored))
    }
}
