//! Queues of commands on one aggregate within this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;
use uuid::Uuid;

type Slots = HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>;

/// One queue per aggregate: one command at a time is decided and appended. Without it, many clients on one task would
/// decide on the same version, and all but one would have to decide again: optimistic retry collapses. Between
/// processes, the versions that the append checks decide.
#[derive(Default)]
pub struct AggregateQueues {
    slots: Mutex<Slots>,
}

/// Held while a command is decided and appended. Dropping it lets the next command in.
pub struct AggregateSlot<'a> {
    queue: &'a AggregateQueues,
    id: Uuid,
    guard: Option<OwnedMutexGuard<()>>,
}

impl AggregateQueues {
    /// Waits for a slot of the aggregate, first in, first out.
    pub async fn slot(&self, id: Uuid) -> AggregateSlot<'_> {
        let lock = Arc::clone(self.slots().entry(id).or_default());
        // Made before waiting, so that a caller who goes away while it waits tidies up as well.
        let mut slot = AggregateSlot { queue: self, id, guard: None };
        slot.guard = Some(lock.lock_owned().await);
        slot
    }

    fn slots(&self) -> std::sync::MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AggregateSlot<'_> {
    fn drop(&mut self) {
        self.guard = None;
        let mut slots = self.queue.slots();
        if slots.get(&self.id).is_some_and(|lock| Arc::strong_count(lock) == 1) {
            slots.remove(&self.id);
        }
    }
}
