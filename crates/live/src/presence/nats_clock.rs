//! Clock of NATS. Heartbeats are timed by it alone: all instances agree on when a device expires, an instance that
//! starts knows how old a heartbeat is, and the clocks of devices and instances do not matter.

use tokio::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub struct NatsClock {
    millis: i64,
    received_at: Instant,
}

impl NatsClock {
    /// Sets the clock from a message that was just received. Its delay extends the presence of devices by as much.
    pub fn received_now(millis: i64) -> Self {
        Self { millis, received_at: Instant::now() }
    }

    /// Current time, in milliseconds since 1970.
    pub fn now(&self) -> i64 {
        self.millis + i64::try_from(self.received_at.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Instant at which the clock shows this time.
    pub fn instant_of(&self, millis: i64) -> Instant {
        self.received_at + Duration::from_millis(u64::try_from(millis - self.millis).unwrap_or(0))
    }
}
