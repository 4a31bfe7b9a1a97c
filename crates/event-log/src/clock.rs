//! Source of time and ids, which the rest of the program receives as values. Times are corrected by the measured offset
//! of the database's clock, so that instances with different clocks write consistent times.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use taskfold_domain::Timestamp;
use uuid::Uuid;

/// Offset of the database's clock from this machine's, in microseconds.
static OFFSET: AtomicI64 = AtomicI64::new(0);

/// Current time of the database, as far as its offset was measured.
pub fn now() -> Timestamp {
    (of_this_machine() + offset()).into()
}

/// Current time of this machine's clock, uncorrected.
#[expect(clippy::disallowed_methods, reason = "the only place that reads the clock")]
pub fn of_this_machine() -> DateTime<Utc> {
    Utc::now()
}

/// Offset of the database's clock from this machine's.
pub fn offset() -> TimeDelta {
    TimeDelta::microseconds(OFFSET.load(Ordering::Relaxed))
}

/// Sets the offset of the database's clock.
pub fn correct(offset: TimeDelta) {
    OFFSET.store(offset.num_microseconds().unwrap_or_default(), Ordering::Relaxed);
}

/// A new UUIDv7, which sorts by the time of its creation.
#[expect(clippy::disallowed_methods, reason = "the only place that creates ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Random bytes, for salts.
pub fn random_bytes(count: usize) -> Vec<u8> {
    let mut bytes = vec![0; count];
    rand::fill(&mut bytes[..]);
    bytes
}

/// A new random UUIDv4, for ids that must be neither guessable nor sortable.
#[expect(clippy::disallowed_methods, reason = "the only place that creates random ids")]
pub fn random_id() -> Uuid {
    Uuid::new_v4()
}
