//! Time and ids enter here, at the edge, and go on as values.

use taskfold_domain::Timestamp;
use uuid::Uuid;

#[expect(clippy::disallowed_methods, reason = "the edge where time comes in")]
pub fn now() -> Timestamp {
    chrono::Utc::now().into()
}

/// A UUIDv7: sorts by the time it was made.
#[expect(clippy::disallowed_methods, reason = "the edge where ids come in")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}

/// Random through and through, for what must not be guessed or sorted.
#[expect(clippy::disallowed_methods, reason = "the edge where randomness comes in")]
pub fn random_id() -> Uuid {
    Uuid::new_v4()
}
