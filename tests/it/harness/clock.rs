//! Time and ids of the tests, which run in real time like the system under test.

use taskfold_domain::Timestamp;
use taskfold_event_log::Clock;
use uuid::Uuid;

/// A clock of this machine, as a process creates it.
#[expect(clippy::disallowed_methods, reason = "a test of the whole system stands for its processes")]
pub fn clock() -> Clock {
    Clock::system()
}

pub fn now() -> Timestamp {
    clock().now()
}

pub fn new_id() -> Uuid {
    clock().new_id()
}
