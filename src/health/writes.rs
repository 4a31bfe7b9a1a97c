//! Check of the append's side tables, after a command found a row of them missing.

use sqlx::PgPool;
use taskfold_event_log::Writes;
use taskfold_projector::write_side;

use super::dependency::answered;
use super::{Dependency, Service};

impl Dependency {
    /// Completeness of the append's side tables, checked for the aggregates in which a command found a row missing.
    pub fn write_side(pool: PgPool, writes: Writes) -> Self {
        let check = Self::new("write-side", move || {
            let (pool, writes) = (pool.clone(), writes.clone());
            Box::pin(async move {
                let found = writes.incomplete();
                if found.is_empty() {
                    return Ok("no command has found a row missing".to_owned());
                }
                let reading = async { write_side::incomplete(&mut *pool.acquire().await?, &found).await };
                let lacking = answered("the write side", reading.await)?;
                found.iter().filter(|known| !lacking.contains(known)).for_each(|known| writes.mark_complete(known));
                match lacking.first() {
                    None => Ok("complete again".to_owned()),
                    Some((kind, id)) => Err(format!(
                        "rows of {kind} {id} and possibly others are missing, and its commands are refused; \
                         `taskfold rebuild --write-side` restores them"
                    )),
                }
            })
        });
        check.degrades(&[Service::Commands])
    }
}
