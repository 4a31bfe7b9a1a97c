//! Outcome of the recent writes of a process, for its readiness: a server that answers may still refuse every write,
//! for example because its disk is full.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// Time for which a failed write counts if no other write follows. An instance that is not ready receives no requests,
/// and would otherwise never notice the recovery.
const COUNTS_FOR: Duration = Duration::from_secs(10);
/// Maximum number of aggregates that are remembered as incomplete.
const MAX_INCOMPLETE: usize = 20;

/// Outcome of the last writes. Cheap to clone; clones share their state.
#[derive(Clone, Default)]
pub struct Writes(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    failure: Option<(String, Instant)>,
    incomplete: Vec<Aggregate>,
}

/// The kind and id of an aggregate.
pub type Aggregate = (String, Uuid);

impl Writes {
    /// Records a committed write.
    pub fn succeeded(&self) {
        self.state().failure = None;
    }

    /// Records a failed write, if its error says why PostgreSQL refuses writes.
    pub fn failed(&self, error: &sqlx::Error) {
        if let Some(reason) = failure(error) {
            self.state().failure = Some((reason, Instant::now()));
        }
    }

    /// Reason why PostgreSQL refuses writes, if the last write failed for that reason.
    pub fn failure(&self) -> Option<String> {
        let state = self.state();
        state.failure.as_ref().filter(|(_, at)| at.elapsed() < COUNTS_FOR).map(|(reason, _)| reason.clone())
    }

    /// Records that a command was refused because the side tables of the append lack a row of this aggregate.
    pub fn mark_incomplete(&self, kind: &str, id: Uuid) {
        let aggregate = (kind.to_owned(), id);
        let mut state = self.state();
        if state.incomplete.len() < MAX_INCOMPLETE && !state.incomplete.contains(&aggregate) {
            state.incomplete.push(aggregate);
        }
    }

    /// Aggregates with missing rows, until they are found complete.
    pub fn incomplete(&self) -> Vec<Aggregate> {
        self.state().incomplete.clone()
    }

    /// Records that the rows of this aggregate are complete.
    pub fn mark_complete(&self, aggregate: &Aggregate) {
        self.state().incomplete.retain(|known| known != aggregate);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reason why PostgreSQL refuses writes, for an operator (codes: appendix A of its documentation).
fn failure(error: &sqlx::Error) -> Option<String> {
    let code = error.as_database_error()?.code()?;
    match code.as_ref() {
        "53100" => Some("the disk of PostgreSQL is full".to_owned()),
        "53300" => Some("PostgreSQL has no connections left".to_owned()),
        "25006" => Some("the database is read-only".to_owned()),
        other if other.starts_with("53") => Some(format!("PostgreSQL lacks resources ({other})")),
        other if other.starts_with("58") => Some(format!("PostgreSQL cannot use its files ({other})")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_failure_ends_with_a_write_or_when_nobody_writes() {
        let writes = Writes::default();
        let fail = || writes.state().failure = Some(("full".to_owned(), Instant::now()));
        fail();
        assert_eq!(writes.failure().as_deref(), Some("full"));
        writes.succeeded();
        assert_eq!(writes.failure(), None);
        fail();
        tokio::time::advance(COUNTS_FOR).await;
        assert_eq!(writes.failure(), None);
        writes.failed(&sqlx::Error::RowNotFound);
        assert_eq!(writes.failure(), None);
    }

    #[test]
    fn incomplete_aggregates_are_stored_once_and_bounded() {
        let writes = Writes::default();
        for n in (0..100).chain(0..100) {
            writes.mark_incomplete("task", Uuid::from_u128(n));
        }
        let all = writes.incomplete();
        assert_eq!(all.len(), MAX_INCOMPLETE);
        writes.mark_complete(&all[0]);
        assert_eq!(writes.incomplete(), all[1..]);
    }
}
