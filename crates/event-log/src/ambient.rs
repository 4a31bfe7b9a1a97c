//! Time and ids of this machine, for code that no [`Clock`](crate::Clock) reaches. All other code is given a clock, so
//! that a test can hold time still: clippy refuses these functions except where a reason is stated.

use chrono::{DateTime, Utc};
use uuid::Uuid;

/// Current time of this machine, which may differ from that of the database: for metrics that a server of metrics
/// compares with its own time.
#[expect(clippy::disallowed_methods, reason = "the only place that reads the clock")]
pub fn machine_time() -> DateTime<Utc> {
    Utc::now()
}

/// New UUIDv7: for the id of an internal error, which may be created by any conversion of an error.
#[expect(clippy::disallowed_methods, reason = "the only place that creates ids")]
pub fn new_id() -> Uuid {
    Uuid::now_v7()
}
