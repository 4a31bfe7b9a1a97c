//! Replays of bulk commands: the tasks and the response of an earlier request with the same key.

use serde_json::value::RawValue;
use sqlx::PgPool;
use sqlx::types::Json;
use taskfold_commands::{CommandError, Envelope};
use taskfold_domain::ids::TaskId;
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

/// A request with a key, which may have been sent before.
pub struct KeyedRequest<'a> {
    pub pool: &'a PgPool,
    pub envelope: &'a Envelope,
    pub fingerprint: Vec<u8>,
}

/// An earlier request with the same key.
pub struct EarlierRequest {
    pub tasks: Vec<TaskId>,
    /// Its response, if it was completed.
    pub response: Option<Box<RawValue>>,
}

impl KeyedRequest<'_> {
    pub async fn find_earlier(&self) -> Result<Option<EarlierRequest>, CommandError> {
        let select = sqlx::query!(
            r#"
            SELECT fingerprint = $3 AS "same_request!", task_ids, answer AS "answer: Json<Box<RawValue>>"
            FROM bulk_commands WHERE actor_id = $1 AND command_id = $2
            "#,
            self.envelope.actor.0,
            self.envelope.command_id,
            self.fingerprint,
        );
        match within(REQUEST, select.fetch_optional(self.pool)).await? {
            None => Ok(None),
            Some(row) if !row.same_request => Err(CommandError::KeyReused),
            Some(row) => Ok(Some(EarlierRequest {
                tasks: row.task_ids.into_iter().map(TaskId).collect(),
                response: row.answer.map(|Json(response)| response),
            })),
        }
    }

    /// Stores the tasks of the command before it is sent to any of them. Returns the tasks of the first request, if
    /// there was another one at the same time.
    pub async fn store_tasks(&self, tasks: &[TaskId]) -> Result<Vec<TaskId>, CommandError> {
        let ids: Vec<Uuid> = tasks.iter().map(|task| task.0).collect();
        let insert = sqlx::query!(
            r#"
            INSERT INTO bulk_commands (actor_id, command_id, fingerprint, task_ids) VALUES ($1, $2, $3, $4)
            ON CONFLICT DO NOTHING
            "#,
            self.envelope.actor.0,
            self.envelope.command_id,
            self.fingerprint,
            &ids,
        );
        within(REQUEST, insert.execute(self.pool)).await?;
        let stored = self.find_earlier().await?;
        stored.map(|stored| stored.tasks).ok_or_else(|| {
            CommandError::Broken("a row of bulk_commands that was just stored does not exist".to_owned())
        })
    }

    /// Stores the response. Returns the first response, if there is one already.
    pub async fn store_response(&self, response: &RawValue) -> Result<Option<Box<RawValue>>, CommandError> {
        let update = sqlx::query!(
            r#"
            UPDATE bulk_commands SET answer = $3
            WHERE actor_id = $1 AND command_id = $2 AND answer IS NULL
            "#,
            self.envelope.actor.0,
            self.envelope.command_id,
            Json(response) as _,
        );
        if within(REQUEST, update.execute(self.pool)).await?.rows_affected() == 1 {
            return Ok(None);
        }
        Ok(self.find_earlier().await?.and_then(|earlier| earlier.response))
    }
}
