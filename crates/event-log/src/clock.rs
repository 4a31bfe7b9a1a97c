//! Time and ids enter here, at the edge, and go on as values. Time is the database's, as far as that was measured: instances whose clocks
//! differ write one time.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use taskfold_domain::Timestamp;
use uuid::Uuid;

/// Offset of the database's clock from this machine's, in microseconds.
static OFFSET: AtomicI64 = AtomicI64::new(0);

pub fn now() -> Timestamp {
    (of_this_machine() + offset()).into()
}

#[expect(clippy::disallowed_methods, reason = "the edge where time comes in")]
pub fn of_this_machine() -> DateTime<Utc> {
    Utc::now()
}

/// Offset of the database's clock from this machine's.
pub fn offset() -> TimeDelta {
    TimeDelta::microseconds(OFFSET.load(Ordering::Relaxed))
}

pub fn correct(offset: TimeDelta) {
    OFFSET.store(offset.num_microseconds().unwrap_or_default(), Ordering::Relaxed);
}

/// A UUIDv7: sorts by the time it was made.
#[expect(clippy::disallowed_methods, reason = "the edge where ids come in")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Random bytes, for salts.
pub fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    rand::fill(&mut bytes[..]);
    bytes
}

/// Random through and through, for what must not be guessed or sorted.
#[expect(clippy::disallowed_methods, reason = "the edge where randomness comes in")]
pub fn random_id() -> Uuid {
    Uuid::new_v4()
}
