//! Outcome of the recent writes of a process, for its readiness: a server that answers may refuse every write, such as one whose disk is full.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

/// Time for which a failed write counts when no other one follows. A process that is sent nothing because it is not ready would not notice by itself
/// that the trouble is over.
const COUNTS_FOR: Duration = Duration::from_secs(10);
/// Aggregates that are remembered as incomplete, at most.
const REMEMBERED: usize = 20;

/// Outcome of the last writes. Cheap to clone; clones share their state.
#[derive(Clone, Default)]
pub struct Writes(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    hindrance: Option<(String, Instant)>,
    incomplete: Vec<Aggregate>,
}

/// The kind and id of an aggregate.
pub type Aggregate = (String, Uuid);

impl Writes {
    /// A write was committed.
    pub fn succeeded(&self) {
        self.state().hindrance = None;
    }

    /// A write failed. Errors that say nothing of PostgreSQL's state are not remembered.
    pub fn failed(&self, error: &sqlx::Error) {
        if let Some(reason) = hindrance(error) {
            self.state().hindrance = Some((reason, Instant::now()));
        }
    }

    /// Why PostgreSQL takes no writes, if the last one was refused for that.
    pub fn hindrance(&self) -> Option<String> {
        let state = self.state();
        state.hindrance.as_ref().filter(|(_, at)| at.elapsed() < COUNTS_FOR).map(|(reason, _)| reason.clone())
    }

    /// A command was refused because the append's own tables lack a row of this aggregate.
    pub fn is_incomplete(&self, kind: &str, id: Uuid) {
        let aggregate = (kind.to_owned(), id);
        let mut state = self.state();
        if state.incomplete.len() < REMEMBERED && !state.incomplete.contains(&aggregate) {
            state.incomplete.push(aggregate);
        }
    }

    /// The aggregates of which that was found, as long as nobody has seen that they are complete again.
    pub fn incomplete(&self) -> Vec<Aggregate> {
        self.state().incomplete.clone()
    }

    /// The rows of this aggregate are there again.
    pub fn is_complete(&self, aggregate: &Aggregate) {
        self.state().incomplete.retain(|known| known != aggregate);
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reason for which PostgreSQL refuses writes, in words for an operator (codes: appendix A of its documentation).
fn hindrance(error: &sqlx::Error) -> Option<String> {
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
    async fn a_hindrance_ends_with_a_write_or_when_nobody_writes() {
        let writes = Writes::default();
        let fail = || writes.state().hindrance = Some(("full".to_owned(), Instant::now()));
        fail();
        assert_eq!(writes.hindrance().as_deref(), Some("full"));
        writes.succeeded();
        assert_eq!(writes.hindrance(), None);
        fail();
        tokio::time::advance(COUNTS_FOR).await;
        assert_eq!(writes.hindrance(), None);
        writes.failed(&sqlx::Error::RowNotFound);
        assert_eq!(writes.hindrance(), None);
    }

    #[test]
    fn incomplete_aggregates_are_remembered_once_and_not_without_end() {
        let writes = Writes::default();
        for n in (0..100).chain(0..100) {
            writes.is_incomplete("task", Uuid::from_u128(n));
        }
        let all = writes.incomplete();
        assert_eq!(all.len(), REMEMBERED);
        writes.is_complete(&all[0]);
        assert_eq!(writes.incomplete(), all[1..]);
    }
}
