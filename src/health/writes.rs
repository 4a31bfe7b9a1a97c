use sqlx::PgPool;
use taskfold_event_log::Writes;
use taskfold_projector::write_side;

use super::dependency::answered;
use super::{Dependency, Service};

impl Dependency {
    /// The tables that the append keeps beside the log, once a command has found a row of them missing.
    pub fn write_side(pool: PgPool, writes: Writes) -> Self {
        let check = Self::new("write-side", move || {
            let (pool, writes) = (pool.clone(), writes.clone());
            Box::pin(async move {
                let found = writes.incomplete();
                if found.is_empty() {
                    return Ok("no command has found it incomplete".to_owned());
                }
                let look = async { write_side::incomplete(&mut *pool.acquire().await?, &found).await };
                let lacking = answered("the write side", look.await)?;
                found.iter().filter(|known| !lacking.contains(known)).for_each(|known| writes.is_complete(known));
                match lacking.first() {
                    None => Ok("complete again".to_owned()),
                    Some((kind, id)) => Err(format!(
                        "rows are missing, of {kind} {id} among others: its commands are refused; `taskfold rebuild --write-side` \
                         makes them again"
                    )),
                }
            })
        });
        check.degrades(&[Service::Commands])
    }
}
