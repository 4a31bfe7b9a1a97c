//! The log as an event repository of cqrs-es.

use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, ReplayStream, SerializedEvent, SerializedSnapshot};
use postgres_es::PostgresEventRepository;
use serde_json::Value;
use sqlx::PgPool;
use taskfold_domain::ids::{ProjectId, UserId};
use uuid::Uuid;

use super::append::{Append, Appender, ExpectedVersion, NewEvent, Outcome};

/// Reads through postgres-es; writes through the append, which numbers and checks events.
pub struct LogRepository {
    reads: PostgresEventRepository,
    appender: Appender,
}

impl LogRepository {
    pub fn new(pool: PgPool, appender: Appender) -> Self {
        let reads = PostgresEventRepository::new(pool).with_tables("events_with_words", "snapshots");
        Self { reads, appender }
    }
}

/// Reads an id from an event's metadata, which `persist` cannot know from the event alone.
fn metadata<T: From<Uuid>>(event: &SerializedEvent, name: &str) -> Result<T, PersistenceError> {
    event
        .metadata
        .get(name)
        .and_then(Value::as_str)
        .and_then(|text| Uuid::try_parse(text).ok())
        .map(T::from)
        .ok_or_else(|| PersistenceError::UnknownError(format!("the metadata needs {name}, a UUID").into()))
}

impl PersistedEventRepository for LogRepository {
    async fn get_events<A: Aggregate>(&self, aggregate_id: &str) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.reads.get_events::<A>(aggregate_id).await
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        aggregate_id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        self.reads.get_last_events::<A>(aggregate_id, last_sequence).await
    }

    async fn get_snapshot<A: Aggregate>(&self, _: &str) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    /// Appends through [`Appender`]. The metadata must name `project_id`, `actor_id` and `command_id`.
    async fn persist<A: Aggregate>(
        &self,
        events: &[SerializedEvent],
        _: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        let Some(first) = events.first() else { return Ok(()) };
        let aggregate = Uuid::try_parse(&first.aggregate_id)
            .map_err(|_| PersistenceError::UnknownError("the aggregate id must be a UUID".into()))?;
        let append = Append {
            expected: ExpectedVersion { version: first.sequence.saturating_sub(1) as u64, command_id: None },
            events: events
                .iter()
                .map(|e| NewEvent {
                    event_type: e.event_type.clone(),
                    event_version: e.event_version.clone(),
                    payload: e.payload.to_string(),
                    ..NewEvent::default()
                })
                .collect(),
            ..Append::new(
                A::TYPE,
                aggregate,
                Some(metadata::<ProjectId>(first, "project_id")?),
                metadata::<UserId>(first, "actor_id")?,
                metadata::<Uuid>(first, "command_id")?,
            )
        };
        match self.appender.append(append).await {
            Ok(Outcome::Appended(_) | Outcome::Duplicate(_)) => Ok(()),
            Ok(_) => Err(PersistenceError::OptimisticLockError),
            Err(error) => Err(PersistenceError::ConnectionError(Box::new(error))),
        }
    }

    async fn stream_events<A: Aggregate>(&self, aggregate_id: &str) -> Result<ReplayStream, PersistenceError> {
        self.reads.stream_events::<A>(aggregate_id).await
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        self.reads.stream_all_events::<A>().await
    }
}
