use tokio::time::{Duration, Instant};

/// The clock of NATS, as it was last heard. Beats are timed by it alone: all instances then agree on when a device is gone,
/// an instance that starts knows how old a beat is, and nobody's own clock matters.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    millis: i64,
    heard: Instant,
}

impl Clock {
    /// NATS has just said that it is so late. On its way that takes a moment, by which devices are there longer.
    pub fn heard_now(millis: i64) -> Self {
        Self { millis, heard: Instant::now() }
    }

    pub fn now(&self) -> i64 {
        self.millis + i64::try_from(self.heard.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// When it will be so late.
    pub fn instant_of(&self, millis: i64) -> Instant {
        self.heard + Duration::from_millis(u64::try_from(millis - self.millis).unwrap_or(0))
    }
}
