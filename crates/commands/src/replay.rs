use serde_json::value::RawValue;
use sqlx::PgPool;
use taskfold_domain::ids::UserId;
use uuid::Uuid;

use super::Engine;
use super::append::Recorded;
use super::envelope::{CommandError, Done};

/// What the command id led to when it was sent before; `None` when it never was, or led to nothing.
pub async fn lookup(
    pool: &PgPool,
    actor: UserId,
    command_id: Uuid,
    fingerprint: &[u8],
) -> Result<Option<Done>, CommandError> {
    let known: Option<(bool, Recorded)> = sqlx::query_as::<_, Known>(
        "SELECT fingerprint = $3 AS same, first_position, last_position, version, \
         aggregate_id::uuid, created_id, created, now() AS recorded_at \
         FROM commands WHERE actor_id = $1 AND command_id = $2",
    )
    .bind(actor.0)
    .bind(command_id)
    .bind(fingerprint)
    .fetch_optional(pool)
    .await?
    .map(|known| (known.same, known.recorded));
    match known {
        None => Ok(None),
        Some((false, _)) => Err(CommandError::KeyReused),
        Some((true, recorded)) => replayed(pool, recorded).await.map(Some),
    }
}

impl Engine {
    /// What the command id led to when it was sent before, whatever was asked under it then: for a request whose words are
    /// known only when all of it has come in.
    pub async fn sent_before(&self, actor: UserId, command_id: Uuid) -> Result<Option<Done>, CommandError> {
        let known: Option<Recorded> = sqlx::query_as(
            "SELECT first_position, last_position, version, aggregate_id::uuid, created_id, created, now() AS recorded_at \
             FROM commands WHERE actor_id = $1 AND command_id = $2",
        )
        .bind(actor.0)
        .bind(command_id)
        .fetch_optional(&self.pool)
        .await?;
        match known {
            None => Ok(None),
            Some(recorded) => replayed(&self.pool, recorded).await.map(Some),
        }
    }
}

#[derive(sqlx::FromRow)]
struct Known {
    same: bool,
    #[sqlx(flatten)]
    recorded: Recorded,
}

/// The answer of then, its Changes read from the log again.
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
