//! Deciding commands and appending what they decide.

/// Folded aggregates: loaded through postgres-es, kept in a bounded cache.
mod aggregates;
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

use std::sync::Arc;

use sqlx::PgPool;
use taskfold_domain::ids::{ProjectId, TaskId};
use taskfold_domain::{Project, Task, Team};
use tokio_util::sync::CancellationToken;

use aggregates::Aggregates;
pub use append::{Appender, LINE, committer};
pub use envelope::{CommandError, Done, Envelope, VersionConflict, fingerprint};
use jitter::Jitter;
use queue::Queue;
pub use repository::LogRepository;

/// How often a command is decided anew because others were faster, before it is given back to the caller.
const ATTEMPTS: u32 = 50;
/// Of them, how many while other processes may be faster. Whoever was fastest is ready first the next time too, so behind
/// these the log waits.
const RACES: u32 = 5;

/// Takes commands, from HTTP and from imports. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    pool: PgPool,
    tasks: Arc<Aggregates<Task>>,
    projects: Arc<Aggregates<Project>>,
    teams: Arc<Aggregates<Team>>,
    appender: Appender,
    queue: Arc<Queue>,
    jitter: Arc<Jitter>,
}

impl Engine {
    /// The engine, and its committer, which the program runs until `shutdown`.
    pub fn new(pool: PgPool, shutdown: CancellationToken) -> (Self, impl Future<Output = ()>) {
        let (appender, committing) = committer(pool.clone(), shutdown);
        let engine = Self {
            tasks: Arc::new(Aggregates::new(&pool, &appender)),
            projects: Arc::new(Aggregates::new(&pool, &appender)),
            teams: Arc::new(Aggregates::new(&pool, &appender)),
            queue: Arc::default(),
            jitter: Arc::new(Jitter::new()),
            appender,
            pool,
        };
        (engine, committing)
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
