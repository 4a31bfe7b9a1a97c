use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

type Turns = HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>;

/// Lets one command at a time decide on an aggregate. Without it, many clients on one task would all decide on the same
/// version, and all but one would have to decide again: optimistic retry collapses. Other processes are held off by the
/// versions that the append checks.
#[derive(Default)]
pub struct Queue {
    turns: Mutex<Turns>,
}

/// Held while a command is decided and appended; ends the turn when dropped.
pub struct Turn<'a> {
    queue: &'a Queue,
    id: Uuid,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Queue {
    /// Waits for the aggregate's turn, first come first served.
    pub async fn turn(&self, id: Uuid) -> Turn<'_> {
        let lock = Arc::clone(self.turns().entry(id).or_default());
        // Made before waiting, so that a caller who goes away while it waits tidies up as well.
        let mut turn = Turn { queue: self, id, guard: None };
        turn.guard = Some(lock.lock_owned().await);
        turn
    }

    fn turns(&self) -> std::sync::MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut turns = self.queue.turns();
        if turns.get(&self.id).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            turns.remove(&self.id);
        }
    }
}
