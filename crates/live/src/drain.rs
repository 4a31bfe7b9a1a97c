//! How the streams of an instance end when it goes away: a few at a time, in turn, so that those who take them over are not
//! met by all at once. Until its turn comes, a stream goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::hub::Hub;

/// Streams that end together.
const BATCH: u32 = 64;
/// For each stream: 15,000 are gone after 3 seconds.
const PACE: Duration = Duration::from_micros(200);
/// For all, however many. The server waits longer than that before it cuts off who is left.
const LONGEST: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Whose turn it is.
#[derive(Default)]
pub struct Turns(AtomicU32);

impl Turns {
    /// After how long the next of this many streams is to end.
    pub fn next(&self, open: usize) -> Duration {
        let number = self.0.fetch_add(1, Ordering::Relaxed) / BATCH * BATCH;
        let open = u32::try_from(open).unwrap_or(u32::MAX).max(1);
        (PACE.min(LONGEST / open) * number).min(LONGEST)
    }
}

/// Cancels `drained` once the instance is to go and its streams have ended: what feeds them is needed until then.
pub async fn watch(hub: Arc<Hub>, shutdown: CancellationToken, drained: CancellationToken) {
    shutdown.cancelled().await;
    let gone = async {
        while hub.streams().count() > 0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    let _ = tokio::time::timeout(LONGEST + Duration::from_secs(1), gone).await;
    drained.cancel();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_end_in_batches_and_none_waits_long() {
        let turns = Turns::default();
        let at: Vec<Duration> = (0..15_000).map(|_| turns.next(15_000)).collect();
        assert_eq!((at[0], at[63]), (Duration::ZERO, Duration::ZERO));
        assert_eq!((at[64], at[127]), (PACE * 64, PACE * 64));
        assert!(at.is_sorted() && at[14_999] > Duration::from_millis(2_900) && at[14_999] < Duration::from_secs(3));
        let turns = Turns::default();
        assert!((0..100_000).all(|_| turns.next(100_000) <= LONGEST));
        assert_eq!(Turns::default().next(0), Duration::ZERO);
    }
}
