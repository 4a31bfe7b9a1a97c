//! Results of commands that were sent before under the same id.

use chrono::{DateTime, Utc};
use serde_json::value::RawValue;
use sqlx::PgPool;
use taskfold_domain::ids::UserId;
use uuid::Uuid;

use super::Engine;
use super::append::Recorded;
use super::envelope::{CommandError, Done};

/// Result of an earlier command under this id with the same request; `None` when it never was sent, or was refused.
pub async fn lookup(
    pool: &PgPool,
    actor: UserId,
    command_id: Uuid,
    fingerprint: &[u8],
) -> Result<Option<Done>, CommandError> {
    match sent(pool, actor, command_id).await? {
        None => Ok(None),
        Some(sent) if sent.fingerprint != fingerprint => Err(CommandError::KeyReused),
        Some(sent) => replayed(pool, sent.recorded()).await.map(Some),
    }
}

impl Engine {
    /// Result of an earlier command under this id, whatever was requested: for a request whose content is known only
    /// when all of it has been received.
    pub async fn sent_before(&self, actor: UserId, command_id: Uuid) -> Result<Option<Done>, CommandError> {
        match sent(&self.pool, actor, command_id).await? {
            None => Ok(None),
            Some(sent) => replayed(&self.pool, sent.recorded()).await.map(Some),
        }
    }
}

/// A row of `commands`.
struct Sent {
    fingerprint: Vec<u8>,
    first_position: i64,
    last_position: i64,
    version: i64,
    aggregate_id: Uuid,
    created_id: Option<Uuid>,
    created: bool,
    now: DateTime<Utc>,
}

impl Sent {
    fn recorded(self) -> Recorded {
        Recorded {
            first_position: self.first_position,
            last_position: self.last_position,
            version: self.version,
            aggregate_id: self.aggregate_id,
            created_id: self.created_id,
            created: self.created,
            recorded_at: self.now,
        }
    }
}

async fn sent(pool: &PgPool, actor: UserId, command_id: Uuid) -> sqlx::Result<Option<Sent>> {
    sqlx::query_as!(
        Sent,
        r#"
        SELECT fingerprint, first_position, last_position, version, aggregate_id::uuid AS "aggregate_id!", created_id, created,
               now() AS "now!"
        FROM commands WHERE actor_id = $1 AND command_id = $2
        "#,
        actor.0,
        command_id,
    )
    .fetch_optional(pool)
    .await
}

/// The earlier result, its Changes read from the log.
pub async fn replayed(pool: &PgPool, recorded: Recorded) -> Result<Done, CommandError> {
    let events = taskfold_event_log::page_between(pool, recorded.first_position, recorded.last_position).await?;
    let events = events
        .iter()
        .map(|event| event.change_json().map_err(|e| CommandError::Broken(e.to_string())).and_then(raw))
        .collect::<Result<_, _>>()?;
    Ok(Done {
        id: recorded.aggregate_id,
        created_id: recorded.created_id,
        created: recorded.created,
        version: recorded.version as u64,
        position: recorded.last_position,
        events,
        replayed: true,
    })
}

pub fn raw(json: String) -> Result<Box<RawValue>, CommandError> {
    RawValue::from_string(json).map_err(|e| CommandError::Broken(e.to_string()))
}
