//! Time and ids of the tests, which run in real time like the system under test.

use std::sync::LazyLock;

use taskfold_domain::Timestamp;
use taskfold_event_log::Clock;
use uuid::Uuid;

/// A clock of this machine, as a process creates it.
pub fn clock() -> Clock {
    #[expect(clippy::disallowed_methods, reason = "a test of the whole system stands for its processes")]
    static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::system);
    CLOCK.clone()
}

pub fn now() -> Timestamp {
    clock().now()
}

pub fn new_id() -> Uuid {
    clock().new_id()
}
