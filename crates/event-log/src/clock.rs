//! Source of time and ids. The program creates one clock for the process, and libraries receive it as a value. Its
//! times are corrected by the measured offset of the database's clock, so that instances with different clocks write
//! consistent times.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use rand::rngs::StdRng;
use rand::{RngCore as _, SeedableRng as _};
use taskfold_domain::Timestamp;
use uuid::{Builder, Uuid};

use crate::ambient;

/// Source of time, ids and random bytes. Cheap to clone; all clones are the same clock.
#[derive(Clone, Debug)]
pub struct Clock(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    /// Offset of the database's clock from this machine's, in microseconds.
    offset: AtomicI64,
}

#[derive(Debug)]
enum Source {
    System,
    Fixed(Arc<FixedTime>),
}

impl Clock {
    /// Clock of this machine. Created once in a process, because it holds the offset of the database's clock.
    pub fn system() -> Self {
        Self::new(Source::System)
    }

    fn new(source: Source) -> Self {
        Self(Arc::new(Inner { source, offset: AtomicI64::new(0) }))
    }

    /// Current time of the database, as far as its offset was measured.
    pub fn now(&self) -> Timestamp {
        (self.machine_time() + self.offset()).into()
    }

    /// Current time in seconds since 1970, the unit of the times in tokens.
    pub fn unix_seconds(&self) -> i64 {
        self.now().utc().timestamp()
    }

    /// Current time of this machine, uncorrected.
    #[expect(clippy::disallowed_methods, reason = "the clock that all others are given")]
    pub fn machine_time(&self) -> DateTime<Utc> {
        match &self.0.source {
            Source::System => ambient::machine_time(),
            Source::Fixed(fixed) => fixed.now().utc(),
        }
    }

    /// Offset of the database's clock from this machine's.
    pub fn offset(&self) -> TimeDelta {
        TimeDelta::microseconds(self.0.offset.load(Ordering::Relaxed))
    }

    /// Sets the offset of the database's clock.
    pub fn correct(&self, offset: TimeDelta) {
        self.0.offset.store(offset.num_microseconds().unwrap_or_default(), Ordering::Relaxed);
    }

    /// New UUIDv7, which sorts by the time of its creation.
    #[expect(clippy::disallowed_methods, reason = "the clock that all others are given")]
    pub fn new_id(&self) -> Uuid {
        match &self.0.source {
            Source::System => ambient::new_id(),
            Source::Fixed(fixed) => fixed.new_id(),
        }
    }

    /// New random UUIDv4, for ids that must be neither guessable nor sortable.
    pub fn random_id(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Random bytes, for salts and secrets.
    pub fn random_bytes(&self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.fill(&mut bytes);
        bytes
    }

    fn fill(&self, bytes: &mut [u8]) {
        match &self.0.source {
            Source::System => rand::fill(bytes),
            Source::Fixed(fixed) => StdRng::seed_from_u64(fixed.next()).fill_bytes(bytes),
        }
    }
}

/// Clock of a test: it stands still until it is advanced, and its ids and random bytes are the same in each run.
#[derive(Debug)]
pub struct FixedClock {
    time: Arc<FixedTime>,
    clock: Clock,
}

#[derive(Debug)]
struct FixedTime {
    /// Microseconds since 1970.
    now: AtomicI64,
    /// Number of ids and random values made so far, which makes each of them different.
    made: AtomicU64,
}

impl FixedClock {
    pub fn new(now: Timestamp) -> Self {
        let now = AtomicI64::new(now.utc().timestamp_micros());
        let time = Arc::new(FixedTime { now, made: AtomicU64::new(0) });
        Self { clock: Clock::new(Source::Fixed(Arc::clone(&time))), time }
    }

    /// The clock, for the code under test.
    pub fn clock(&self) -> Clock {
        self.clock.clone()
    }

    /// Advances the time; a negative difference sets it back.
    pub fn advance(&self, by: TimeDelta) {
        self.time.now.fetch_add(by.num_microseconds().unwrap_or_default(), Ordering::SeqCst);
    }
}

impl FixedTime {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::SeqCst))
    }

    fn next(&self) -> u64 {
        self.made.fetch_add(1, Ordering::SeqCst)
    }

    /// UUIDv7 with a counter in place of the random bits.
    fn new_id(&self) -> Uuid {
        let mut counter = [0; 10];
        counter[2..].copy_from_slice(&self.next().to_be_bytes());
        let millis = u64::try_from(self.now().millis()).unwrap_or_default();
        Builder::from_unix_timestamp_millis(millis, &counter).into_uuid()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests of the clock itself")]
mod tests {
    use uuid::Version;

    use super::*;

    const NOON: i64 = 1_796_126_400_000_000;

    #[test]
    fn a_fixed_clock_stands_still_until_it_is_advanced() {
        let fixed = FixedClock::new(Timestamp::from_micros(NOON));
        let clock = fixed.clock();
        assert_eq!((clock.now(), clock.now()), (Timestamp::from_micros(NOON), Timestamp::from_micros(NOON)));
        fixed.advance(TimeDelta::seconds(90));
        assert_eq!(clock.now(), Timestamp::from_micros(NOON + 90_000_000));
        assert_eq!(clock.unix_seconds(), NOON / 1_000_000 + 90);
    }

    #[test]
    fn ids_of_a_fixed_clock_are_distinct_sorted_and_the_same_in_each_run() {
        let ids = || {
            let fixed = FixedClock::new(Timestamp::from_micros(NOON));
            let clock = fixed.clock();
            let mut ids: Vec<Uuid> = (0..300).map(|_| clock.new_id()).collect();
            fixed.advance(TimeDelta::milliseconds(1));
            ids.push(clock.new_id());
            (ids, clock.random_id(), clock.random_bytes(16), clock.random_bytes(16))
        };
        let (made, random, one, other) = ids();
        assert!(made.is_sorted_by(|a, b| a < b));
        assert!(made.iter().all(|id| id.get_version() == Some(Version::SortRand)));
        assert_eq!(random.get_version(), Some(Version::Random));
        assert_ne!(one, other);
        assert_eq!(ids(), (made, random, one, other));
    }

    #[test]
    fn all_clones_of_a_clock_are_corrected() {
        let clock = Clock::system();
        let clone = clock.clone();
        clock.correct(TimeDelta::hours(3));
        let off = clone.now().utc() - clone.machine_time();
        assert!((off - TimeDelta::hours(3)).abs() < TimeDelta::minutes(1), "{off}");
        assert_eq!(clone.random_id().get_version(), Some(Version::Random));
        assert_ne!(clone.random_bytes(16), clone.random_bytes(16));
        assert_ne!(clone.new_id(), clone.new_id());
        assert_eq!(Clock::system().offset(), TimeDelta::zero(), "another clock is not");
    }
}
