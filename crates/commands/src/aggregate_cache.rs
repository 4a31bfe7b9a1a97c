//! Cache of folded aggregates, which are read from the log through cqrs-es.

use std::sync::Arc;

use cqrs_es::persist::{PersistedEventRepository, PersistenceError, SerializedEvent};
use cqrs_es::{Aggregate, EventEnvelope};
use moka::future::Cache;
use moka::policy::EvictionPolicy;
use sqlx::PgPool;
use taskfold_domain::{Project, Refusal, Task, Team};
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::metrics;
use uuid::Uuid;

use super::append::Appender;
use super::envelope::CommandError;
use super::repository::LogRepository;

/// Memory of a cache entry beside its aggregate: the key, the cache's own list and map, and what the allocator rounds
/// up.
const ENTRY_BYTES: usize = 256;

/// An aggregate that knows its version.
pub trait Versioned: Aggregate<Error = Refusal> + Clone + 'static {
    /// Limit of the cache of this kind, in bytes: 256 MiB for all kinds.
    const MAX_CACHED_BYTES: u64;

    fn version(&self) -> u64;
    /// Approximate size in bytes.
    fn bytes(&self) -> usize;
}

impl Versioned for Task {
    const MAX_CACHED_BYTES: u64 = 192 << 20;

    fn version(&self) -> u64 {
        self.version
    }

    fn bytes(&self) -> usize {
        Task::bytes(self)
    }
}

impl Versioned for Project {
    const MAX_CACHED_BYTES: u64 = 56 << 20;

    fn version(&self) -> u64 {
        self.version
    }

    fn bytes(&self) -> usize {
        Project::bytes(self)
    }
}

impl Versioned for Team {
    const MAX_CACHED_BYTES: u64 = 8 << 20;

    fn version(&self) -> u64 {
        self.version
    }

    fn bytes(&self) -> usize {
        Team::bytes(self)
    }
}

/// Folded aggregates of one kind. A cached one may be stale when another process appends too; the append checks
/// versions, so that this costs a reload and another decision, never a wrong one.
pub struct AggregateCache<A: Versioned> {
    repository: LogRepository,
    cached: Cache<Uuid, Cached<A>>,
    pool: PgPool,
}

/// A folded aggregate, and the command of its last event.
struct Cached<A> {
    state: Arc<A>,
    command: Option<Uuid>,
}

impl<A> Clone for Cached<A> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), command: self.command }
    }
}

/// A cache of aggregates of at most this many bytes together. The least recently used go first.
fn cache<A: Versioned>(bytes: u64) -> Cache<Uuid, Cached<A>> {
    Cache::builder()
        .max_capacity(bytes)
        .weigher(|_, cached: &Cached<A>| u32::try_from(ENTRY_BYTES + cached.state.bytes()).unwrap_or(u32::MAX))
        // A new aggregate is about to be worked on. The default policy would not admit it to a full cache, because it
        // was requested less often than the others: each command on it would read it from the log.
        .eviction_policy(EvictionPolicy::lru())
        .build()
}

/// Reason for which nothing is cached.
enum NotCached {
    Absent,
    Failed(CommandError),
}

pub struct Loaded<A> {
    pub state: Arc<A>,
    /// Command of the last event, where that is known.
    pub command: Option<Uuid>,
    /// Read from the log just now.
    pub fresh: bool,
}

/// The last event of an aggregate, if it has a head, and the command of an earlier event.
struct Head {
    version: Option<i64>,
    command_id: Option<Uuid>,
    earlier_command: Option<Uuid>,
}

impl<A: Versioned> AggregateCache<A> {
    pub fn new(pool: &PgPool, appender: &Appender) -> Self {
        let repository = LogRepository::new(pool.clone(), appender.clone());
        Self { repository, cached: cache(A::MAX_CACHED_BYTES), pool: pool.clone() }
    }

    /// The aggregate, absent as its default. `fresh`: as the log has it now, not as it is cached.
    pub async fn load(&self, id: Uuid, fresh: bool) -> Result<Loaded<A>, CommandError> {
        let cached = self.cached.get(&id).await;
        metrics::cache_looked_up(A::TYPE, cached.is_some());
        match cached {
            Some(Cached { state, command }) if !fresh => Ok(Loaded { state, command, fresh: false }),
            // The deadline is for callers that have none of their own, such as imports.
            cached => within(REQUEST, Box::pin(self.read(id, cached, fresh))).await,
        }
    }

    async fn read(&self, id: Uuid, cached: Option<Cached<A>>, fresh: bool) -> Result<Loaded<A>, CommandError> {
        if cached.is_none() && !fresh {
            return self.read_once(id).await;
        }
        let Cached { state, command } = self.catch_up(id, cached).await?;
        // An absent aggregate is not cached: it is about to be created, or somebody guesses ids.
        if state.version() > 0 {
            self.insert(id, Arc::clone(&state), command).await;
        }
        Ok(Loaded { state, command, fresh: true })
    }

    /// Reads the aggregate once for all callers that ask for it at the same time.
    async fn read_once(&self, id: Uuid) -> Result<Loaded<A>, CommandError> {
        let read = async {
            let read = self.catch_up(id, None).await.map_err(NotCached::Failed)?;
            if read.state.version() > 0 { Ok(read) } else { Err(NotCached::Absent) }
        };
        match self.cached.entry(id).or_try_insert_with(read).await {
            // A caller that waited may have come after it was read.
            Ok(entry) => {
                let fresh = entry.is_fresh();
                let Cached { state, command } = entry.into_value();
                Ok(Loaded { state, command, fresh })
            }
            Err(reason) => match &*reason {
                NotCached::Absent => Ok(Loaded { state: Arc::default(), command: None, fresh: false }),
                NotCached::Failed(error) => Err(error.for_another()),
            },
        }
    }

    /// The cached aggregate without looking at the log: one that is not cached is taken to be absent.
    pub async fn cached(&self, id: Uuid) -> Loaded<A> {
        let cached = self.cached.get(&id).await;
        metrics::cache_looked_up(A::TYPE, cached.is_some());
        let (state, command) = cached.map(|cached| (cached.state, cached.command)).unwrap_or_default();
        Loaded { state, command, fresh: false }
    }

    /// Applies the events that the log has beyond the cached state, or all of them.
    async fn catch_up(&self, id: Uuid, cached: Option<Cached<A>>) -> Result<Cached<A>, CommandError> {
        count::<A>(if cached.is_some() { "behind" } else { "log" });
        let Cached { state, command } = cached.unwrap_or_else(|| Cached { state: Arc::default(), command: None });
        let version = i64::try_from(state.version()).unwrap_or(i64::MAX);
        let head = self.head(id, version).await?;
        let is_known = match (command, head.earlier_command) {
            (_, None) => version == 0,
            (None, Some(_)) => true,
            (Some(seen), Some(logged)) => seen == logged,
        };
        // The log must still have the last event that was seen.
        if !is_known {
            return Err(CommandError::Forked);
        }
        if head.version == Some(version) {
            return Ok(Cached { state, command });
        }
        let after = usize::try_from(version).unwrap_or(usize::MAX);
        let events = self.repository.get_last_events::<A>(&id.to_string(), after).await.map_err(read_error)?;
        let Some((version, command_id)) = head.version.zip(head.command_id) else {
            // Events without a head: the side tables of the append are not complete.
            let is_absent = version == 0 && events.is_empty();
            return if is_absent { Ok(Cached { state, command }) } else { Err(CommandError::Incomplete) };
        };
        let mut state = (*state).clone();
        let is_new = |event: &SerializedEvent| i64::try_from(event.sequence).is_ok_and(|sequence| sequence <= version);
        for event in events.into_iter().take_while(is_new) {
            let event: EventEnvelope<A> = event.try_into().map_err(read_error)?;
            state.apply(event.payload);
        }
        Ok(Cached { state: Arc::new(state), command: Some(command_id) })
    }

    async fn head(&self, id: Uuid, earlier_version: i64) -> sqlx::Result<Head> {
        sqlx::query_as!(
            Head,
            r#"
            SELECT h.version AS "version?", h.command_id AS "command_id?",
                   CASE WHEN h.version = $3 THEN h.command_id ELSE (
                       SELECT e.command_id FROM events e
                       WHERE e.aggregate_type = $1 AND e.aggregate_id = $2::text AND e.sequence = $3) END AS earlier_command
            FROM (SELECT) AS one LEFT JOIN aggregate_heads h ON h.aggregate_type = $1 AND h.aggregate_id = $4
            "#,
            A::TYPE,
            id.to_string(),
            earlier_version,
            id,
        )
        .fetch_one(&self.pool)
        .await
    }

    /// Caches the state after an append.
    pub async fn insert(&self, id: Uuid, state: Arc<A>, command: Option<Uuid>) {
        self.cached.insert(id, Cached { state, command }).await;
    }

    /// Drops every aggregate: they are of another log.
    pub fn clear(&self) {
        self.cached.invalidate_all();
    }
}

fn count<A: Aggregate>(from: &'static str) {
    metrics::aggregate_loads(A::TYPE, from).increment(1);
}

fn read_error(error: PersistenceError) -> CommandError {
    match error {
        PersistenceError::ConnectionError(e) | PersistenceError::UnknownError(e) => {
            CommandError::Unavailable(e.to_string())
        }
        PersistenceError::OptimisticLockError => CommandError::Contended,
        PersistenceError::DeserializationError(e) => CommandError::Broken(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// With a description of so many bytes.
    fn task(bytes: usize) -> Cached<Task> {
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
        Cached { state: Arc::new(task), command: None }
    }

    #[tokio::test]
    async fn a_cache_is_bounded_in_bytes_and_evicts_the_least_recently_used() {
        const LIMIT: u64 = 1 << 20;
        const LARGE: usize = 64 << 10;
        let cached = cache::<Task>(LIMIT);
        let id = |n: u64| Uuid::from_u128(n.into());
        for n in 0..100 {
            cached.insert(id(n), task(LARGE)).await;
            // In use all the time.
            assert!(cached.get(&id(0)).await.is_some(), "gone after {n}");
            cached.run_pending_tasks().await;
            assert!(cached.weighted_size() <= LIMIT, "{} bytes", cached.weighted_size());
        }
        let there = cached.entry_count();
        assert!((10..=LIMIT / LARGE as u64).contains(&there), "{there} of them");
        assert!(cached.get(&id(1)).await.is_none() && cached.get(&id(99)).await.is_some());
        // One that grows pushes others out.
        cached.insert(id(0), task(LIMIT as usize / 2)).await;
        cached.run_pending_tasks().await;
        assert!(cached.weighted_size() <= LIMIT && cached.entry_count() < there, "{} bytes", cached.weighted_size());
        // One that is too large for the whole cache is not cached, and nothing else breaks.
        cached.insert(id(7), task(2 * LIMIT as usize)).await;
        cached.run_pending_tasks().await;
        assert!(cached.weighted_size() <= LIMIT);
    }
}
