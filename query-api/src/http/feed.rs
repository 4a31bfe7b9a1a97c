//! JSON of Changes, for bodies.

use serde_json::value::RawValue;
use taskfold_event_log::LoggedEvent;

use super::error::ReadError;

/// Serializes the Changes of these events.
pub fn changes(events: &[LoggedEvent]) -> Result<Vec<Box<RawValue>>, ReadError> {
    events.iter().map(change).collect()
}

pub fn change(event: &LoggedEvent) -> Result<Box<RawValue>, ReadError> {
    Ok(serde_json::value::to_raw_value(&event.change()?)?)
}
