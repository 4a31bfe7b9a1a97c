//! The aggregates on the event store of postgres-es, for comparison.

use std::sync::Arc;

use cqrs_es::CqrsFramework;
use cqrs_es::persist::PersistedEventStore;
use postgres_es::PostgresEventRepository;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use taskfold_domain::ids::{TaskId, UserId};
use taskfold_domain::task::{Context, Origin};
use taskfold_domain::{CommandWithContext, Project, Rank, Task, TaskCommand};

use super::{Takes, create, rename};
use crate::clock::clock;
use crate::system::System;

/// The schema that postgres-es requires, in a table of its own.
const TABLE: &str = "CREATE TABLE peer_events (aggregate_type text NOT NULL, aggregate_id text NOT NULL, \
    sequence bigint CHECK (sequence >= 0) NOT NULL, event_type text NOT NULL, event_version text NOT NULL, \
    payload json NOT NULL, metadata json NOT NULL, PRIMARY KEY (aggregate_type, aggregate_id, sequence))";

/// The framework set up as in its guide. It has no positions, no guards and no command ids, and decides on a project
/// that never changes.
#[derive(Clone)]
pub struct PostgresEs {
    framework: Arc<CqrsFramework<Task, PersistedEventStore<PostgresEventRepository, Task>>>,
    project: Arc<Project>,
    actor: UserId,
}

impl PostgresEs {
    pub async fn new(system: &System, project: Project, actor: UserId, connections: u32) -> anyhow::Result<Self> {
        let pool: PgPool = PgPoolOptions::new().max_connections(connections).connect(&system.database_url()?).await?;
        sqlx::query(TABLE).execute(&pool).await?;
        let repository = PostgresEventRepository::new(pool).with_tables("peer_events", "peer_snapshots");
        let framework = CqrsFramework::new(PersistedEventStore::new_event_store(repository), Vec::new(), ());
        Ok(Self { framework: Arc::new(framework), project: Arc::new(project), actor })
    }

    async fn execute(&self, task: TaskId, command: TaskCommand) -> anyhow::Result<()> {
        let at = clock().now();
        let context = Context {
            actor: self.actor,
            at,
            project: Arc::clone(&self.project),
            rank: None,
            end: Rank::at_end(at, 0),
            mentions: Vec::new(),
            fresh_id: clock().new_id(),
            origin: Origin::Live,
            teams: Vec::new(),
            other: None,
            comment: None,
            deleted_dependencies: 0,
        };
        Ok(self.framework.execute(&task.0.to_string(), CommandWithContext { command, context }).await?)
    }
}

impl Takes for PostgresEs {
    async fn create(&self, task: TaskId, title: String) -> anyhow::Result<()> {
        self.execute(task, create(title)?).await
    }

    async fn rename(&self, task: TaskId, title: String) -> anyhow::Result<()> {
        self.execute(task, rename(title)?).await
    }
}
