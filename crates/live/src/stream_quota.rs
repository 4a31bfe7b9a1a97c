//! Stream quota: bounds how many streams one user may have open on an instance, and how fast they may open and close
//! them.
//!
//! The quota is large enough for a whole team behind one account, and never all that an instance has.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;
use uuid::Uuid;

/// Streams that end sooner are short-lived: a sign of a client in a tight loop.
const SHORT_LIVED: Duration = Duration::from_secs(1);
/// Short-lived streams that one user may open in a row.
const SHORT_LIVED_BURST: NonZeroU32 = NonZeroU32::new(1_000).unwrap();
const SHORT_LIVED_PER_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
/// Minimum time without new streams after that. Many clients at once would use any shorter gap.
const PENALTY: Duration = Duration::from_secs(1);

/// Quotas of all users on one instance.
pub struct StreamQuotas {
    usage: Arc<Usage>,
    max: NonZeroU32,
}

struct Usage {
    open: Mutex<HashMap<Uuid, u32>>,
    short_lived: DefaultKeyedRateLimiter<Uuid>,
    clock: DefaultClock,
    /// Users who must wait, and until when.
    blocked: Mutex<HashMap<Uuid, Instant>>,
}

/// Reasons why a user may not open another stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaExceeded {
    /// The user has `max` streams open.
    TooMany { max: u32 },
    /// The user opens streams too fast, and may open one after `wait`.
    TooFast { wait: Duration },
}

impl StreamQuotas {
    /// `max`: streams per user.
    pub fn new(max: NonZeroU32) -> Self {
        let quota = Quota::per_second(SHORT_LIVED_PER_SECOND).allow_burst(SHORT_LIVED_BURST);
        let clock = DefaultClock::default();
        let short_lived = RateLimiter::dashmap_with_clock(quota, clock.clone());
        let usage = Usage { open: Mutex::default(), short_lived, clock, blocked: Mutex::default() };
        Self { usage: Arc::new(usage), max }
    }

    /// Takes a slot, which is released on drop.
    pub fn take(&self, user: Uuid) -> Result<StreamSlot, QuotaExceeded> {
        let now = Instant::now();
        if let Some(until) = lock(&self.usage.blocked).get(&user).filter(|until| **until > now) {
            return Err(QuotaExceeded::TooFast { wait: *until - now });
        }
        let mut open = lock(&self.usage.open);
        let count = open.entry(user).or_default();
        if *count >= self.max.get() {
            return Err(QuotaExceeded::TooMany { max: self.max.get() });
        }
        *count += 1;
        Ok(StreamSlot { usage: Arc::clone(&self.usage), user, since: now })
    }

    /// Removes users who have not opened a stream for a while.
    pub fn remove_idle(&self) {
        self.usage.short_lived.retain_recent();
        let now = Instant::now();
        lock(&self.usage.blocked).retain(|_, until| *until > now);
    }
}

/// Slot of a user for one stream.
pub struct StreamSlot {
    usage: Arc<Usage>,
    user: Uuid,
    since: Instant,
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let Usage { open, short_lived, clock, blocked } = &*self.usage;
        if self.since.elapsed() < SHORT_LIVED
            && let Err(early) = short_lived.check_key(&self.user)
        {
            lock(blocked).insert(self.user, Instant::now() + early.wait_time_from(clock.now()).max(PENALTY));
        }
        let mut open = lock(open);
        if let Some(count) = open.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.user);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_user_has_a_quota_of_their_own() {
        let quotas = StreamQuotas::new(NonZeroU32::new(2).expect("not zero"));
        let (ada, bea) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = quotas.take(ada).expect("free");
        let second = quotas.take(ada).expect("free");
        assert_eq!(quotas.take(ada).err(), Some(QuotaExceeded::TooMany { max: 2 }));
        assert!(quotas.take(bea).is_ok());
        drop(first);
        assert_eq!(lock(&quotas.usage.open).get(&ada), Some(&1));
        drop(second);
        assert!(lock(&quotas.usage.open).is_empty(), "users without streams are removed");
    }

    #[test]
    fn a_user_in_a_tight_loop_waits_and_nobody_else_does() {
        let quotas = StreamQuotas::new(NonZeroU32::MAX);
        let (ada, bea) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let too_fast = (0..5_000).find_map(|_| quotas.take(ada).err());
        assert!(matches!(too_fast, Some(QuotaExceeded::TooFast { wait }) if wait <= PENALTY), "{too_fast:?}");
        // Streams that stay open are no loop.
        let many: Vec<_> = (0..5_000).map(|_| quotas.take(bea)).collect();
        assert!(many.iter().all(Result::is_ok));
    }
}
