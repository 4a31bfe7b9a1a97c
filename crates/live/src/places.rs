//! How many streams one person may have open: enough for whole teams behind one account, and never all that an instance has. And
//! how many they may open for nothing.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::time::Instant;
use uuid::Uuid;

/// Whoever goes sooner has opened the stream for nothing: a client in a tight loop.
const SHORT: Duration = Duration::from_secs(1);
/// Of one person, in a row.
const SHORT_IN_A_ROW: NonZeroU32 = NonZeroU32::new(1_000).unwrap();
const SHORT_A_SECOND: NonZeroU32 = NonZeroU32::new(50).unwrap();
/// At least so long nothing is opened for them then: many clients at once would use each gap.
const PENALTY: Duration = Duration::from_secs(1);

/// The places of all people on one instance.
pub struct Places {
    people: Arc<People>,
    most: NonZeroU32,
}

struct People {
    taken: Mutex<HashMap<Uuid, u32>>,
    /// Streams that were opened for nothing.
    short: DefaultKeyedRateLimiter<Uuid>,
    clock: DefaultClock,
    /// Who has to wait, and until when.
    waiting: Mutex<HashMap<Uuid, Instant>>,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoPlace {
    /// One person has this many already.
    Taken { most: u32 },
    /// They come faster than is good; there is one after this time.
    TooFast { wait: Duration },
}

impl Places {
    /// `most` streams for one person.
    pub fn new(most: NonZeroU32) -> Self {
        let quota = Quota::per_second(SHORT_A_SECOND).allow_burst(SHORT_IN_A_ROW);
        let clock = DefaultClock::default();
        let short = RateLimiter::dashmap_with_clock(quota, clock.clone());
        Self { people: Arc::new(People { taken: Mutex::default(), short, clock, waiting: Mutex::default() }), most }
    }

    /// A place, until what is returned is dropped.
    pub fn take(&self, user: Uuid) -> Result<Place, NoPlace> {
        let now = Instant::now();
        if let Some(until) = lock(&self.people.waiting).get(&user).filter(|until| **until > now) {
            return Err(NoPlace::TooFast { wait: *until - now });
        }
        let mut taken = lock(&self.people.taken);
        let count = taken.entry(user).or_default();
        if *count >= self.most.get() {
            return Err(NoPlace::Taken { most: self.most.get() });
        }
        *count += 1;
        Ok(Place { people: Arc::clone(&self.people), user, since: now })
    }

    /// Forgets who has not come for a while.
    pub fn tidy(&self) {
        self.people.short.retain_recent();
        let now = Instant::now();
        lock(&self.people.waiting).retain(|_, until| *until > now);
    }
}

/// One person's place for one stream.
pub struct Place {
    people: Arc<People>,
    user: Uuid,
    since: Instant,
}

impl Drop for Place {
    fn drop(&mut self) {
        let People { taken, short, clock, waiting } = &*self.people;
        if self.since.elapsed() < SHORT
            && let Err(early) = short.check_key(&self.user)
        {
            lock(waiting).insert(self.user, Instant::now() + early.wait_time_from(clock.now()).max(PENALTY));
        }
        let mut taken = lock(taken);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
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
    fn one_person_has_so_many_places_and_another_has_their_own() {
        let places = Places::new(NonZeroU32::new(2).expect("not zero"));
        let (ada, bea) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let first = places.take(ada).expect("free");
        let _second = places.take(ada).expect("free");
        assert!(places.take(ada).is_err());
        assert!(places.take(bea).is_ok());
        drop(first);
        assert_eq!(lock(&places.people.taken).get(&ada), Some(&1));
        drop(_second);
        assert!(lock(&places.people.taken).is_empty(), "nobody is remembered who has no place");
    }

    #[test]
    fn who_comes_and_goes_in_a_tight_loop_waits_and_nobody_else_does() {
        let places = Places::new(NonZeroU32::MAX);
        let (ada, bea) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let too_fast = (0..5_000).find_map(|_| places.take(ada).err());
        assert!(matches!(too_fast, Some(NoPlace::TooFast { wait }) if wait <= PENALTY), "{too_fast:?}");
        // Streams that stay are no loop.
        let many: Vec<_> = (0..5_000).map(|_| places.take(bea)).collect();
        assert!(many.iter().all(Result::is_ok));
    }
}
