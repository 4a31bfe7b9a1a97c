//! How many streams one person may have open, and how fast they may open them: enough for whole teams behind one account,
//! and never all that an instance has.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use uuid::Uuid;

/// Once as many as one person may have were opened in a row, this part of them a second.
const OPENINGS_A_SECOND: u32 = 10;

/// The places of all people on one instance.
pub struct Places {
    taken: Arc<Mutex<HashMap<Uuid, u32>>>,
    most: NonZeroU32,
    openings: DefaultKeyedRateLimiter<Uuid>,
    clock: DefaultClock,
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
    /// `most` streams for one person; as many may be opened at once, as after a restart.
    pub fn new(most: NonZeroU32) -> Self {
        let a_second = NonZeroU32::MIN.saturating_add(most.get() / OPENINGS_A_SECOND);
        let quota = Quota::per_second(a_second).allow_burst(most);
        let clock = DefaultClock::default();
        Self { taken: Arc::default(), most, openings: RateLimiter::dashmap_with_clock(quota, clock.clone()), clock }
    }

    /// A place, until what is returned is dropped.
    pub fn take(&self, user: Uuid) -> Result<Place, NoPlace> {
        self.openings
            .check_key(&user)
            .map_err(|early| NoPlace::TooFast { wait: early.wait_time_from(self.clock.now()) })?;
        let mut taken = lock(&self.taken);
        let count = taken.entry(user).or_default();
        if *count >= self.most.get() {
            return Err(NoPlace::Taken { most: self.most.get() });
        }
        *count += 1;
        Ok(Place { taken: Arc::clone(&self.taken), user })
    }

    /// Forgets who has not come for a while.
    pub fn tidy(&self) {
        self.openings.retain_recent();
    }
}

/// One person's place for one stream.
pub struct Place {
    taken: Arc<Mutex<HashMap<Uuid, u32>>>,
    user: Uuid,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = lock(&self.taken);
        if let Some(count) = taken.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.user);
            }
        }
    }
}

fn lock(taken: &Mutex<HashMap<Uuid, u32>>) -> MutexGuard<'_, HashMap<Uuid, u32>> {
    taken.lock().unwrap_or_else(PoisonError::into_inner)
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
        assert_eq!(lock(&places.taken).get(&ada), Some(&1));
        drop(_second);
        assert!(lock(&places.taken).is_empty(), "nobody is remembered who has no place");
    }

    #[test]
    fn who_comes_again_and_again_waits() {
        let places = Places::new(NonZeroU32::new(3).expect("not zero"));
        let ada = Uuid::from_u128(1);
        let too_fast = (0..20).find_map(|_| places.take(ada).err());
        assert!(matches!(too_fast, Some(NoPlace::TooFast { wait }) if wait <= Duration::from_secs(1)), "{too_fast:?}");
    }
}
