use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;

use crate::databases::DatabaseRole;

/// Database connections of the process, to be measured. A part whose connections are all in use has callers wait.
#[derive(Clone, Default)]
pub struct Pools(Arc<Mutex<Vec<(DatabaseRole, PgPool)>>>);

impl Pools {
    pub fn add(&self, role: DatabaseRole, pool: PgPool) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((role, pool));
    }

    pub fn measure(&self) {
        for (role, pool) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let part = role.application_name();
            let idle = u32::try_from(pool.num_idle()).unwrap_or(u32::MAX);
            let in_use = pool.size().saturating_sub(idle);
            let most = pool.options().get_max_connections();
            metrics::gauge!("taskfold_database_connections", "part" => part, "state" => "in_use")
                .set(f64::from(in_use));
            metrics::gauge!("taskfold_database_connections", "part" => part, "state" => "idle").set(f64::from(idle));
            metrics::gauge!("taskfold_database_connections_limit", "part" => part).set(f64::from(most));
        }
    }
}
