//! Start and due times: a task is not due before it starts.

use super::Origin;
use crate::Timestamp;
use crate::refusal::Refusal;
use crate::task::events::TaskEvent;
use crate::task::fields::Fields;

/// Checks the times after an edit that changes one of them. The refusal names the one that was sent.
pub fn must_be_in_order(fields: &Fields, events: &[TaskEvent], origin: Origin) -> Result<(), Refusal> {
    for event in events {
        if let TaskEvent::Scheduled(scheduled) = event {
            let start_at = scheduled.start_at.as_ref().map_or(fields.start_at, |start| start.to);
            let due_at = scheduled.due_at.as_ref().map_or(fields.due_at, |due| due.to);
            let sent = if scheduled.due_at.is_some() { "/due_at" } else { "/start_at" };
            must_begin_before_end(start_at, due_at, sent, origin)?;
        }
    }
    Ok(())
}

/// Refuses a due time before the start. Imported history is taken as it was.
pub fn must_begin_before_end(
    start_at: Option<Timestamp>,
    due_at: Option<Timestamp>,
    pointer: &str,
    origin: Origin,
) -> Result<(), Refusal> {
    let in_order = start_at.zip(due_at).is_none_or(|(start, due)| start <= due);
    if in_order || origin == Origin::Import {
        return Ok(());
    }
    Err(Refusal::invalid(pointer, "a task is not due before it starts: `start_at` must not be after `due_at`"))
}
