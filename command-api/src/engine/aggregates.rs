use std::sync::Arc;

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateError, EventStore};
use moka::future::Cache;
use sqlx::PgPool;
use taskfold_domain::{Project, Refusal, Task};
use uuid::Uuid;

use super::append::Appender;
use super::envelope::CommandError;
use super::repository::LogRepository;

/// How many aggregates of a kind are kept folded.
const KEPT: u64 = 50_000;

/// An aggregate that knows its version.
pub trait Versioned: Aggregate<Error = Refusal> + Clone + 'static {
    fn version(&self) -> u64;
}

impl Versioned for Task {
    fn version(&self) -> u64 {
        self.version
    }
}

impl Versioned for Project {
    fn version(&self) -> u64 {
        self.version
    }
}

/// Aggregates of one kind. A kept one may be stale when another process appends too; the append checks versions, so that
/// costs a reload and another decision, never a wrong one.
pub struct Aggregates<A: Versioned> {
    store: PersistedEventStore<LogRepository, A>,
    kept: Cache<Uuid, Arc<A>>,
}

pub struct Loaded<A> {
    pub state: Arc<A>,
    /// Read from the log just now.
    pub fresh: bool,
}

impl<A: Versioned> Aggregates<A> {
    pub fn new(pool: &PgPool, appender: &Appender) -> Self {
        let repository = LogRepository::new(pool.clone(), appender.clone());
        Self { store: PersistedEventStore::new_event_store(repository), kept: Cache::new(KEPT) }
    }

    pub async fn load(&self, id: Uuid, fresh: bool) -> Result<Loaded<A>, CommandError> {
        if !fresh && let Some(state) = self.kept.get(&id).await {
            metrics::counter!("taskfold_aggregate_loads_total", "kind" => A::TYPE, "from" => "cache").increment(1);
            return Ok(Loaded { state, fresh: false });
        }
        metrics::counter!("taskfold_aggregate_loads_total", "kind" => A::TYPE, "from" => "log").increment(1);
        let envelopes = self.store.load_events(&id.to_string()).await.map_err(load_error)?;
        let mut state = A::default();
        for envelope in envelopes {
            state.apply(envelope.payload);
        }
        let state = Arc::new(state);
        // An absent one is not kept: it is about to be made, or somebody guesses ids.
        if state.version() > 0 {
            self.keep(id, Arc::clone(&state)).await;
        }
        Ok(Loaded { state, fresh: true })
    }

    /// Keeps the state after an append.
    pub async fn keep(&self, id: Uuid, state: Arc<A>) {
        self.kept.insert(id, state).await;
    }

    pub async fn forget(&self, id: Uuid) {
        self.kept.invalidate(&id).await;
    }
}

fn load_error(error: AggregateError<Refusal>) -> CommandError {
    match error {
        AggregateError::DatabaseConnectionError(e) | AggregateError::UnexpectedError(e) => {
            CommandError::Unavailable(e.to_string())
        }
        AggregateError::UserError(refusal) => CommandError::Refused(refusal),
        AggregateError::AggregateConflict => CommandError::Contended,
        AggregateError::DeserializationError(e) => CommandError::Broken(e.to_string()),
    }
}
