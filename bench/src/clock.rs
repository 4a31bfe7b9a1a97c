//! Time and ids of the load programs, which run in real time.

use std::sync::LazyLock;

use taskfold_event_log::Clock;

#[expect(clippy::disallowed_methods, reason = "a program of its own")]
static CLOCK: LazyLock<Clock> = LazyLock::new(Clock::system);

pub fn clock() -> &'static Clock {
    &CLOCK
}
