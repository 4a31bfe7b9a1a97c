use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;
use sqlx::PgPool;
use taskfold_event_log::metrics;
use tokio::time::Instant;

use crate::databases::DatabaseRole;

/// Limit of the wait for a connection that is measured, so that metrics are answered in time.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// Database connections of the process, to be measured. A part whose connections are all in use has callers wait.
#[derive(Clone, Default)]
pub struct Pools(Arc<Mutex<Vec<(DatabaseRole, PgPool)>>>);

impl Pools {
    pub fn add(&self, role: DatabaseRole, pool: PgPool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((role, pool));
    }

    /// Also how long a caller waits for a connection of each part just now, by waiting for one.
    pub async fn measure(&self) {
        let pools = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        join_all(pools.iter().map(|(role, pool)| measure(*role, pool))).await;
    }
}

async fn measure(role: DatabaseRole, pool: &PgPool) {
    let role = role.application_name();
    let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
    let in_use = pool.size().saturating_sub(idle);
    let most = pool.options().get_max_connections();
    metrics::database_connections(role, "in_use").set(f64::from(in_use));
    metrics::database_connections(role, "idle").set(f64::from(idle));
    metrics::database_connections_limit(role).set(f64::from(most));
    let began = Instant::now();
    // What came of it does not matter: an outage is what readiness tells of.
    let _ = tokio::time::timeout(LONGEST_WAIT, pool.acquire()).await;
    metrics::database_connection_wait(role).set(began.elapsed().as_secs_f64());
}
