use std::sync::Arc;

use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{Aggregate, AggregateError, EventStore};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use sqlx::PgPool;
use taskfold_domain::Event;
use taskfold_domain::{Project, ProjectEvent, Refusal, Task, TaskEvent, Team, TeamEvent};
use taskfold_event_log::cache_metrics;
use taskfold_event_log::deadline::{REQUEST, within};
use uuid::Uuid;

use super::append::Appender;
use super::envelope::CommandError;
use super::repository::LogRepository;

/// Memory of a cache entry beside its aggregate: the key, the cache's own list and map, and what the allocator rounds up.
const ENTRY_BYTES: usize = 256;

/// An aggregate that knows its version.
pub trait Versioned: Aggregate<Error = Refusal> + Clone + 'static {
    /// Limit of the cache of folded aggregates of this kind, in bytes: 256 MiB for all kinds.
    const KEPT_BYTES: u64;

    fn version(&self) -> u64;
    /// About how many bytes it takes.
    fn bytes(&self) -> usize;
    /// The event, if it is of this aggregate.
    fn unwrap(event: Event) -> Option<Self::Event>;
}

impl Versioned for Task {
    const KEPT_BYTES: u64 = 192 << 20;

    fn version(&self) -> u64 {
        self.version
    }

    fn bytes(&self) -> usize {
        Task::bytes(self)
    }

    fn unwrap(event: Event) -> Option<TaskEvent> {
        if let Event::Task(event) = event { Some(event) } else { None }
    }
}

impl Versioned for Project {
    const KEPT_BYTES: u64 = 56 << 20;

    fn version(&self) -> u64 {
        self.version
    }

    fn bytes(&self) -> usize {
        Project::bytes(self)
    }

    fn unwrap(event: Event) -> Option<ProjectEvent> {
        if let Event::Project(event) = event { Some(event) } else { None }
    }
}

impl Versioned for Team {
    const KEPT_BYTES: u64 = 8 << 20;

    fn version(&self) -> u64 {
        self.version
    }

    fn bytes(&self) -> usize {
        Team::bytes(self)
    }

    fn unwrap(event: Event) -> Option<TeamEvent> {
        if let Event::Team(event) = event { Some(event) } else { None }
    }
}

/// Aggregates of one kind. A kept one may be stale when another process appends too; the append checks versions, so that
/// costs a reload and another decision, never a wrong one.
pub struct Aggregates<A: Versioned> {
    store: PersistedEventStore<LogRepository, A>,
    kept: Cache<Uuid, Kept<A>>,
    pool: PgPool,
}

/// A folded aggregate, and the command of its last event.
struct Kept<A> {
    state: Arc<A>,
    command: Option<Uuid>,
}

impl<A> Clone for Kept<A> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), command: self.command }
    }
}

/// A cache of aggregates that take no more than these bytes together. Those that were not asked for the longest go first.
fn cache<A: Versioned>(bytes: u64) -> Cache<Uuid, Kept<A>> {
    Cache::builder()
        .max_capacity(bytes)
        .weigher(|_, kept: &Kept<A>| u32::try_from(ENTRY_BYTES + kept.state.bytes()).unwrap_or(u32::MAX))
        // What was just made is about to be worked on. The default would not take it in a full cache, for it was asked for less
        // often than what is there: each command on it would read it from the log.
        .eviction_policy(EvictionPolicy::lru())
        .build()
}

/// Why there is nothing to keep.
enum NotKept {
    Absent,
    Failed(CommandError),
}

pub struct Loaded<A> {
    pub state: Arc<A>,
    /// The id of the command of its last event, where that is known.
    pub command: Option<Uuid>,
    /// Read from the log just now.
    pub fresh: bool,
}

impl<A: Versioned> Aggregates<A> {
    pub fn new(pool: &PgPool, appender: &Appender) -> Self {
        let repository = LogRepository::new(pool.clone(), appender.clone());
        let store = PersistedEventStore::new_event_store(repository);
        Self { store, kept: cache(A::KEPT_BYTES), pool: pool.clone() }
    }

    pub async fn load(&self, id: Uuid, fresh: bool) -> Result<Loaded<A>, CommandError> {
        let kept = self.kept.get(&id).await;
        cache_metrics::looked_up(A::TYPE, kept.is_some());
        match kept {
            Some(Kept { state, command }) if !fresh => Ok(Loaded { state, command, fresh: false }),
            // Also for whoever has no deadline of their own, as an import.
            kept => within(REQUEST, Box::pin(self.read(id, kept, fresh))).await,
        }
    }

    /// By the log.
    async fn read(&self, id: Uuid, kept: Option<Kept<A>>, fresh: bool) -> Result<Loaded<A>, CommandError> {
        let Kept { state, command } = match kept {
            Some(kept) => self.catch_up(id, kept).await?,
            None if !fresh => return self.load_first(id).await,
            None => self.fold(id).await?,
        };
        // An absent one is not kept: it is about to be made, or somebody guesses ids.
        if state.version() > 0 {
            self.keep(id, Arc::clone(&state), command).await;
        }
        Ok(Loaded { state, command, fresh: true })
    }

    /// Of many who ask for the same one at once, the first folds it, and the others wait for that.
    async fn load_first(&self, id: Uuid) -> Result<Loaded<A>, CommandError> {
        let fold = async {
            let folded = self.fold(id).await.map_err(NotKept::Failed)?;
            if folded.state.version() > 0 { Ok(folded) } else { Err(NotKept::Absent) }
        };
        match self.kept.entry(id).or_try_insert_with(fold).await {
            // Whoever waited may have come after it was read.
            Ok(entry) => {
                let fresh = entry.is_fresh();
                let Kept { state, command } = entry.into_value();
                Ok(Loaded { state, command, fresh })
            }
            Err(why) => match &*why {
                NotKept::Absent => Ok(Loaded { state: Arc::default(), command: None, fresh: false }),
                NotKept::Failed(CommandError::Broken(cause)) => Err(CommandError::Broken(cause.clone())),
                NotKept::Failed(error) => Err(CommandError::Unavailable(error.to_string())),
            },
        }
    }

    /// Without a look at the log: what is not kept is taken to be absent.
    pub async fn kept(&self, id: Uuid) -> Loaded<A> {
        let kept = self.kept.get(&id).await;
        cache_metrics::looked_up(A::TYPE, kept.is_some());
        let (state, command) = kept.map(|kept| (kept.state, kept.command)).unwrap_or_default();
        Loaded { state, command, fresh: false }
    }

    async fn fold(&self, id: Uuid) -> Result<Kept<A>, CommandError> {
        count::<A>("log");
        let mut state = A::default();
        for envelope in self.store.load_events(&id.to_string()).await.map_err(load_error)? {
            state.apply(envelope.payload);
        }
        let version = i64::try_from(state.version()).unwrap_or(i64::MAX);
        let command = match version {
            0 => None,
            _ => self.command_of(id, version).await?,
        };
        Ok(Kept { state: Arc::new(state), command })
    }

    /// The command of one event. cqrs-es reads events without it.
    async fn command_of(&self, id: Uuid, version: i64) -> Result<Option<Uuid>, CommandError> {
        let command = sqlx::query_scalar!(
            "SELECT command_id FROM events WHERE aggregate_type = $1 AND aggregate_id = $2 AND sequence = $3",
            A::TYPE,
            id.to_string(),
            version,
        );
        Ok(command.fetch_optional(&self.pool).await?)
    }

    /// Only what came since. Folding all again would take so long that whoever is behind stays behind.
    async fn catch_up(&self, id: Uuid, kept: Kept<A>) -> Result<Kept<A>, CommandError> {
        count::<A>("behind");
        let version = i64::try_from(kept.state.version()).unwrap_or(i64::MAX);
        let mut news =
            taskfold_event_log::aggregate_after(&self.pool, A::TYPE, &id.to_string(), version - 1).await?.into_iter();
        // The last event that is known, which the log must still have.
        match news.next() {
            Some(known) if kept.command.is_none_or(|command| command == known.command_id) => {}
            _ => return Err(CommandError::Forked),
        }
        let (mut state, mut command) = ((*kept.state).clone(), kept.command);
        for logged in news {
            let event = logged.event().map_err(|e| CommandError::Broken(e.to_string()))?;
            state.apply(A::unwrap(event).ok_or_else(|| CommandError::Broken("of another aggregate".to_owned()))?);
            command = Some(logged.command_id);
        }
        Ok(Kept { state: Arc::new(state), command })
    }

    /// Keeps the state after an append.
    pub async fn keep(&self, id: Uuid, state: Arc<A>, command: Option<Uuid>) {
        self.kept.insert(id, Kept { state, command }).await;
    }

    /// Forgets all: they are of another log.
    pub fn forget(&self) {
        self.kept.invalidate_all();
    }
}

fn count<A: Aggregate>(from: &'static str) {
    metrics::counter!("taskfold_aggregate_loads_total", "kind" => A::TYPE, "from" => from).increment(1);
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// With a description of so many bytes.
    fn task(bytes: usize) -> Kept<Task> {
        let id = Uuid::from_u128(9);
        let made = |value: serde_json::Value| json!({"from": null, "to": value});
        let created = json!({"type": "task.created", "changes": {
            "project_id": made(json!(id)), "title": made(json!("T")), "description": made(json!("x".repeat(bytes))),
            "status": made(json!("todo")), "column_id": made(json!(id)), "rank": made(json!("a0VblNwZ5u2")),
            "priority": made(json!("none")), "assignee_ids": made(json!([])), "label_ids": made(json!([])),
            "start_at": made(json!(null)), "due_at": made(json!(null)), "estimate_minutes": made(json!(null)),
            "parent_id": made(json!(null)),
        }});
        let mut task = Task::default();
        task.apply(&serde_json::from_value(created).expect("an event as it is stored"));
        Kept { state: Arc::new(task), command: None }
    }

    #[tokio::test]
    async fn a_cache_holds_no_more_bytes_than_it_may_and_lets_the_longest_unused_go() {
        const LIMIT: u64 = 1 << 20;
        const LARGE: usize = 64 << 10;
        let kept = cache::<Task>(LIMIT);
        let id = |n: u64| Uuid::from_u128(n.into());
        for n in 0..100 {
            kept.insert(id(n), task(LARGE)).await;
            // In use all the time.
            assert!(kept.get(&id(0)).await.is_some(), "gone after {n}");
            kept.run_pending_tasks().await;
            assert!(kept.weighted_size() <= LIMIT, "{} bytes", kept.weighted_size());
        }
        let there = kept.entry_count();
        assert!((10..=LIMIT / LARGE as u64).contains(&there), "{there} of them");
        assert!(kept.get(&id(1)).await.is_none() && kept.get(&id(99)).await.is_some());
        // One that grows pushes others out.
        kept.insert(id(0), task(LIMIT as usize / 2)).await;
        kept.run_pending_tasks().await;
        assert!(kept.weighted_size() <= LIMIT && kept.entry_count() < there, "{} bytes", kept.weighted_size());
        // One that is too large for the whole cache is not kept, and nothing else breaks.
        kept.insert(id(7), task(2 * LIMIT as usize)).await;
        kept.run_pending_tasks().await;
        assert!(kept.weighted_size() <= LIMIT);
    }
}
