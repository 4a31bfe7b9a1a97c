//! Metrics of the database connections of the process.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use sqlx::PgPool;
use taskfold_event_log::metrics;
use tokio::time::Instant;

use crate::databases::DatabaseRole;

/// Limit of the measured wait for a connection, so that `/metrics` answers in time.
const MAX_MEASURED_WAIT: Duration = Duration::from_secs(1);

/// Connection pools of the process. Callers wait while all connections of a role are in use.
#[derive(Clone, Default)]
pub struct Pools(Arc<Mutex<Vec<(DatabaseRole, PgPool)>>>);

impl Pools {
    pub fn add(&self, role: DatabaseRole, pool: PgPool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((role, pool));
    }

    /// Records the connections of each role, and how long a caller waits for one now, by acquiring one.
    pub async fn measure(&self) {
        let pools = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        join_all(pools.iter().map(|(role, pool)| measure(*role, pool))).await;
    }
}

async fn measure(role: DatabaseRole, pool: &PgPool) {
    let role = role.application_name();
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let in_use = pool.size().saturating_sub(idle);
    let limit = pool.options().get_max_connections();
    metrics::database_connections(role, "in_use").set(f64::from(in_use));
    metrics::database_connections(role, "idle").set(f64::from(idle));
    metrics::database_connections_limit(role).set(f64::from(limit));
    let began = Instant::now();
    // The outcome does not matter: readiness reports an outage.
    let _ = tokio::time::timeout(MAX_MEASURED_WAIT, pool.acquire()).await;
    metrics::database_connection_wait(role).set(began.elapsed().as_secs_f64());
}
