use serde_json::value::RawValue;
use sqlx::PgPool;
use sqlx::types::Json;
use taskfold_domain::ids::TaskId;
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

use taskfold_commands::{CommandError, Envelope};

/// A request whose key may have been sent before.
pub struct Kept<'a> {
    pub pool: &'a PgPool,
    pub envelope: &'a Envelope,
    pub fingerprint: Vec<u8>,
}

/// What an earlier one selected, and what it was answered if it came to its end.
pub struct Found {
    pub tasks: Vec<TaskId>,
    pub answer: Option<Box<RawValue>>,
}

/// A row of `bulk_commands`: whether it is of the same request, the tasks, the answer.
type Row = (bool, Vec<Uuid>, Option<Json<Box<RawValue>>>);

impl Kept<'_> {
    pub async fn find(&self) -> Result<Option<Found>, CommandError> {
        let find = sqlx::query_as(
            "SELECT fingerprint = $3, task_ids, answer FROM bulk_commands WHERE actor_id = $1 AND command_id = $2",
        )
        .bind(self.envelope.actor.0)
        .bind(self.envelope.command_id)
        .bind(&self.fingerprint);
        let row: Option<Row> = within(REQUEST, find.fetch_optional(self.pool)).await?;
        match row {
            None => Ok(None),
            Some((false, ..)) => Err(CommandError::KeyReused),
            Some((true, tasks, answer)) => Ok(Some(Found {
                tasks: tasks.into_iter().map(TaskId).collect(),
                answer: answer.map(|Json(answer)| answer),
            })),
        }
    }

    /// The tasks that the command is for, before it is sent to any of them: these, unless another request was faster.
    pub async fn select(&self, tasks: &[TaskId]) -> Result<Vec<TaskId>, CommandError> {
        let select = sqlx::query(
            "INSERT INTO bulk_commands (actor_id, command_id, fingerprint, task_ids) VALUES ($1, $2, $3, $4) \
             ON CONFLICT DO NOTHING",
        )
        .bind(self.envelope.actor.0)
        .bind(self.envelope.command_id)
        .bind(&self.fingerprint)
        .bind(tasks.iter().map(|task| task.0).collect::<Vec<_>>());
        within(REQUEST, select.execute(self.pool)).await?;
        let found = self.find().await?;
        found.map(|found| found.tasks).ok_or_else(|| CommandError::Broken("a bulk command is not kept".to_owned()))
    }

    /// Keeps the answer, unless there is one: the first.
    pub async fn answer(&self, answer: &RawValue) -> Result<Option<Box<RawValue>>, CommandError> {
        let keep = sqlx::query(
            "UPDATE bulk_commands SET answer = $3 WHERE actor_id = $1 AND command_id = $2 AND answer IS NULL",
        )
        .bind(self.envelope.actor.0)
        .bind(self.envelope.command_id)
        .bind(Json(answer));
        let kept = within(REQUEST, keep.execute(self.pool)).await?;
        if kept.rows_affected() == 1 {
            return Ok(None);
        }
        Ok(self.find().await?.and_then(|found| found.answer))
    }
}
