//! Drain slots: at shutdown, streams end a few at a time, so that the instances that take them over are not hit by all
//! of them at once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use taskfold_event_log::Clock;

/// Range of the random reconnect delay, in addition to the staggered ends of the streams.
const RETRY_RANGE_MS: u32 = 1_000;
/// Streams that end together.
const STREAMS_PER_SLOT: u32 = 64;
/// Time per stream: 15,000 streams end within 3 seconds.
const TIME_PER_STREAM: Duration = Duration::from_micros(200);
/// Upper bound for all streams together. The server waits longer than this before it closes the rest.
pub const MAX_DRAIN: Duration = Duration::from_secs(5);

/// Counter of the slots handed out so far.
#[derive(Default)]
pub struct DrainSlots(AtomicU32);

impl DrainSlots {
    /// Takes the next slot and returns the delay after which that stream ends. `open`: number of open streams.
    pub fn take(&self, open: usize) -> Duration {
        let slot_start = self.0.fetch_add(1, Ordering::Relaxed) / STREAMS_PER_SLOT * STREAMS_PER_SLOT;
        let open = u32::try_from(open).unwrap_or(u32::MAX).max(1);
        (TIME_PER_STREAM.min(MAX_DRAIN / open) * slot_start).min(MAX_DRAIN)
    }
}

/// Random delay in milliseconds after which a client of a drained instance should reconnect.
pub fn random_retry_ms(clock: &Clock) -> u32 {
    let random = clock.random_id().as_u128() as u32;
    100 + random % RETRY_RANGE_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_end_in_batches_and_none_waits_long() {
        let slots = DrainSlots::default();
        let at: Vec<Duration> = (0..15_000).map(|_| slots.take(15_000)).collect();
        assert_eq!((at[0], at[63]), (Duration::ZERO, Duration::ZERO));
        assert_eq!((at[64], at[127]), (TIME_PER_STREAM * 64, TIME_PER_STREAM * 64));
        assert!(at.is_sorted() && at[14_999] > Duration::from_millis(2_900) && at[14_999] < Duration::from_secs(3));
        let slots = DrainSlots::default();
        assert!((0..100_000).all(|_| slots.take(100_000) <= MAX_DRAIN));
        assert_eq!(DrainSlots::default().take(0), Duration::ZERO);
    }
}
