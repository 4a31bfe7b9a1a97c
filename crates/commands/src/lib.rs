//! The engine: decides commands and appends their events. Usable without HTTP.

/// Bounded cache of folded aggregates.
mod aggregate_cache;
/// One command at a time for each aggregate of this process.
mod aggregate_queues;
/// Group commit of decided commands.
mod append;
/// Command ids of requests that consist of many commands.
mod bulk_key;
/// People and times of removals, for refused commands.
mod departures;
/// Circumstances of a command, its result and its errors.
mod envelope;
/// The loop around a decision: load, decide, append, and again after a conflict.
mod execute;
/// Teams that a project grants roles to.
mod granted_teams;
/// Permission to invite.
mod invitations;
/// Times and jitter that keep ranks distinct and in order.
mod jitter;
/// Members named in a comment.
mod mentions;
/// Conflicts with edits made since a command's base version.
mod precondition;
/// Project commands.
mod projects;
/// Rank between two neighbours.
mod rank_search;
/// Reminders of due times.
pub mod reminders;
/// Results of commands that were sent before.
mod replay;
/// The log as an event repository of cqrs-es.
mod repository;
/// Tokens that are valid for one project.
mod scope;
/// Tasks that a bulk command selects.
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
use taskfold_event_log::{Clock, LogIdentity, Writes};
use tokio::sync::watch;
use uuid::Uuid;

use aggregate_cache::AggregateCache;
use aggregate_queues::AggregateQueues;
pub use append::{Appender, QUEUE_LOCK, committer};
pub use envelope::{CommandError, Done, Envelope, VersionConflict, fingerprint};
pub use invitations::MadeInvitation;
use jitter::Jitter;
pub use repository::LogRepository;

/// Attempts to decide a command before the conflicts are reported to its caller.
const MAX_ATTEMPTS: u32 = 50;
/// Attempts before the log is locked for the command: the process that won once is ready first the next time too.
const OPTIMISTIC_ATTEMPTS: u32 = 5;

/// Time for this process to learn of an adopted log, whose identity it reads every second.
const ADOPTION_WAIT: Duration = Duration::from_secs(2);

/// Executes commands, from HTTP and from imports. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pool: PgPool,
    tasks: Arc<AggregateCache<Task>>,
    projects: Arc<AggregateCache<Project>>,
    teams: Arc<AggregateCache<Team>>,
    appender: Appender,
    queues: Arc<AggregateQueues>,
    jitter: Arc<Jitter>,
    log: Arc<Log>,
    writes: Writes,
    clock: Clock,
}

/// Identity of the log, and of the one that cached aggregates belong to.
struct Log {
    now: watch::Receiver<LogIdentity>,
    kept_for: Mutex<Uuid>,
}

impl Engine {
    /// The engine and its committer, which ends when the last clone of the engine is dropped.
    pub fn new(
        pool: PgPool,
        log: watch::Receiver<LogIdentity>,
        writes: Writes,
        clock: Clock,
    ) -> (Self, impl Future<Output = ()>) {
        let (appender, committing) = committer(pool.clone(), log.clone(), writes.clone());
        let kept_for = Mutex::new(log.borrow().id);
        let engine = Self {
            tasks: Arc::new(AggregateCache::new(&pool, &appender)),
            projects: Arc::new(AggregateCache::new(&pool, &appender)),
            teams: Arc::new(AggregateCache::new(&pool, &appender)),
            queues: Arc::default(),
            jitter: Arc::new(Jitter::new(&clock)),
            log: Arc::new(Log { now: log, kept_for }),
            appender,
            pool,
            writes,
            clock,
        };
        (engine, committing)
    }

    /// Clock of the times and ids of events.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Drops cached aggregates if the log was adopted since.
    fn drop_state_of_other_log(&self) {
        let now = self.log.now.borrow().id;
        let mut kept_for = self.log.kept_for.lock().unwrap_or_else(PoisonError::into_inner);
        if *kept_for != now {
            *kept_for = now;
            self.tasks.clear();
            self.projects.clear();
            self.teams.clear();
        }
    }

    /// Waits until this process knows the adopted log. Returns `false` if it does not in time.
    async fn awaits_adopted_log(&self) -> bool {
        let kept_for = *self.log.kept_for.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = self.log.now.clone();
        let known = now.wait_for(|log| log.id != kept_for);
        let known = tokio::time::timeout(ADOPTION_WAIT, known).await.is_ok_and(|known| known.is_ok());
        self.drop_state_of_other_log();
        known
    }

    /// Suspends the log for every process: it lacks an event that was seen here.
    async fn suspend(&self) {
        let reason = "a command-api has seen an event that the log lacks: it was restored to an earlier state";
        tracing::error!(reason, "the log takes no commands until it is adopted");
        let suspending = sqlx::query!("SELECT taskfold_suspend_log($1)", reason).execute(&self.pool);
        if let Err(error) = within(REQUEST, suspending).await {
            tracing::error!(%error, "the log could not be suspended; this process appends nothing to it");
        }
    }

    /// Loads the task as of now; an absent one is the default.
    pub async fn load_task(&self, id: TaskId) -> Result<Arc<Task>, CommandError> {
        Ok(self.tasks.load(id.0, true).await?.state)
    }

    /// Loads the project as of now; an absent one is the default.
    pub async fn load_project(&self, id: ProjectId) -> Result<Arc<Project>, CommandError> {
        Ok(self.projects.load(id.0, true).await?.state)
    }
}
