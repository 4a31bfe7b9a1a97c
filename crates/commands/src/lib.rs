//! Deciding commands and appending what they decide.

/// Folded aggregates: loaded through postgres-es, kept in a bounded cache.
mod aggregate_cache;
/// The group commit: what waits while one batch commits goes into the next, as one database call.
mod append;
/// The loop round a decision: load, decide, append, again when others were faster.
mod deciding;
/// What a command brings along, and what comes of it.
mod envelope;
/// Whom somebody may invite.
mod inviting;
/// What tells ranks of one millisecond apart.
mod jitter;
/// Command ids of requests of many commands.
mod key;
/// Members named in a comment.
mod mentions;
/// Finding the place between two neighbours.
mod place;
/// Edits made at the same time.
mod precondition;
/// Project commands.
mod projects;
/// One command at a time for each aggregate of this process.
mod queue;
/// Reminders of due times.
pub mod reminders;
/// The answer of a command id that was sent before.
mod replay;
/// The log as an event repository of cqrs-es.
mod repository;
/// The teams that a project gives roles to.
mod roster;
/// Tokens that are for one project.
mod scope;
/// Tasks that one command is for.
mod selection;
/// Task commands.
mod tasks;
/// Team commands.
mod teams;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgPool;
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::{Project, Task, Team};
use taskfold_event_log::deadline::{REQUEST, within};
use taskfold_event_log::{LogIdentity, Writes};
use tokio::sync::watch;
use uuid::Uuid;

use aggregate_cache::AggregateCache;
pub use append::{Appender, QUEUE_LOCK, committer};
pub use envelope::{CommandError, Done, Envelope, VersionConflict, fingerprint};
use jitter::Jitter;
use queue::Queue;
pub use repository::LogRepository;

/// How often a command is decided anew because others were faster, before it is given back to the caller.
const ATTEMPTS: u32 = 50;
/// Of them, how many while other processes may be faster. Whoever was fastest is ready first the next time too, so behind
/// these the log waits.
const RACES: u32 = 5;

/// The identity of the log is asked for every second.
const HEARS_OF_ANOTHER_LOG: Duration = Duration::from_secs(2);

/// Takes commands, from HTTP and from imports. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pool: PgPool,
    tasks: Arc<AggregateCache<Task>>,
    projects: Arc<AggregateCache<Project>>,
    teams: Arc<AggregateCache<Team>>,
    appender: Appender,
    queue: Arc<Queue>,
    jitter: Arc<Jitter>,
    log: Arc<Log>,
    writes: Writes,
}

/// Which log it is, and for which one the aggregates are kept.
struct Log {
    now: watch::Receiver<LogIdentity>,
    kept_for: Mutex<Uuid>,
}

impl Engine {
    /// The engine, and its committer, which ends when the last clone of the engine is dropped.
    pub fn new(pool: PgPool, log: watch::Receiver<LogIdentity>, writes: Writes) -> (Self, impl Future<Output = ()>) {
        let (appender, committing) = committer(pool.clone(), log.clone(), writes.clone());
        let kept_for = Mutex::new(log.borrow().id);
        let engine = Self {
            tasks: Arc::new(AggregateCache::new(&pool, &appender)),
            projects: Arc::new(AggregateCache::new(&pool, &appender)),
            teams: Arc::new(AggregateCache::new(&pool, &appender)),
            queue: Arc::default(),
            jitter: Arc::new(Jitter::new()),
            log: Arc::new(Log { now: log, kept_for }),
            appender,
            pool,
            writes,
        };
        (engine, committing)
    }

    /// Forgets what is kept of a log that was adopted since.
    fn keep_to_the_log(&self) {
        let now = self.log.now.borrow().id;
        let mut kept_for = self.log.kept_for.lock().unwrap_or_else(PoisonError::into_inner);
        if *kept_for != now {
            *kept_for = now;
            self.tasks.clear();
            self.projects.clear();
            self.teams.clear();
        }
    }

    /// Waits until this process knows the log that the append has found. Whether it does.
    async fn other_log(&self) -> bool {
        let kept_for = *self.log.kept_for.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = self.log.now.clone();
        let known = now.wait_for(|log| log.id != kept_for);
        let known = tokio::time::timeout(HEARS_OF_ANOTHER_LOG, known).await.is_ok_and(|known| known.is_ok());
        self.keep_to_the_log();
        known
    }

    /// Lets no process append: the log lacks an event that was seen here.
    async fn suspend(&self) {
        let reason = "a command-api has seen an event that the log lacks: it was restored to an earlier state";
        tracing::error!(reason, "the log takes no commands until it is adopted");
        let suspending = sqlx::query!("SELECT taskfold_suspend_log($1)", reason).execute(&self.pool);
        if let Err(error) = within(REQUEST, suspending).await {
            tracing::error!(%error, "the log could not be suspended; this process appends nothing to it");
        }
    }

    /// The task as the log has it now; an absent one is the default.
    pub async fn load_task(&self, id: TaskId) -> Result<Arc<Task>, CommandError> {
        Ok(self.tasks.load(id.0, true).await?.state)
    }

    /// The project as the log has it now; an absent one is the default.
    pub async fn load_project(&self, id: ProjectId) -> Result<Arc<Project>, CommandError> {
        Ok(self.projects.load(id.0, true).await?.state)
    }
}
