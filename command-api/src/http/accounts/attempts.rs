//! Limits of failed sign-ins, per account and per address, and of sign-ups per address. Of sign-ins, only failures
//! count. Whoever has signed in from an address before has a limit of their own there, so that nobody who guesses
//! elsewhere holds them up.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;
use taskfold_domain::limits::{
    SIGN_IN_FAILURES_PER_ACCOUNT, SIGN_IN_FAILURES_PER_ADDRESS, SIGN_UPS_AT_ONCE, SIGN_UPS_PER_ADDRESS,
};
use taskfold_web::client::client_network;
use taskfold_web::{Code, Problem};
use tokio::time::Instant;

/// Interval at which an account may fail once more, after the first failures. It bounds how long the right person waits.
const ACCOUNT_INTERVAL: Duration = Duration::from_secs(5);
const ADDRESS_INTERVAL: Duration = Duration::from_secs(1);
/// Entries of each cache, so that invented usernames do not fill the memory.
const MAX_ENTRIES: u64 = 100_000;
/// Time for which a sign-in from an address is remembered.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Failures after which idle entries are removed.
const CLEAN_EVERY: usize = 1_000;

/// Key of a limit.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Account(String),
    Address(IpAddr),
    /// An account at an address from which it has signed in.
    Known(String, IpAddr),
    /// Sign-ups from an address.
    SignUp(IpAddr),
}

/// Failed sign-ins on this instance.
pub struct SignInAttempts {
    accounts: DefaultKeyedRateLimiter<Key>,
    addresses: DefaultKeyedRateLimiter<Key>,
    sign_ups: DefaultKeyedRateLimiter<Key>,
    clock: DefaultClock,
    blocked_until: Cache<Key, Instant>,
    /// Accounts and addresses from which they have signed in.
    known: Cache<(String, IpAddr), ()>,
    /// Attempts that are being verified.
    running: Arc<Mutex<HashMap<Key, u32>>>,
}

impl Key {
    /// Number of failures in a row, and of attempts at one time.
    fn limit(&self) -> u32 {
        match self {
            Self::Account(_) | Self::Known(..) => SIGN_IN_FAILURES_PER_ACCOUNT,
            Self::Address(_) => SIGN_IN_FAILURES_PER_ADDRESS,
            Self::SignUp(_) => SIGN_UPS_AT_ONCE,
        }
    }
}

/// An attempt that is being verified.
pub struct Attempt {
    running: Arc<Mutex<HashMap<Key, u32>>>,
    keys: Vec<Key>,
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let mut running = lock(&self.running);
        for key in &self.keys {
            if let Some(count) = running.get_mut(key) {
                *count -= 1;
                if *count == 0 {
                    running.remove(key);
                }
            }
        }
    }
}

fn lock(running: &Mutex<HashMap<Key, u32>>) -> MutexGuard<'_, HashMap<Key, u32>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for SignInAttempts {
    fn default() -> Self {
        let clock = DefaultClock::default();
        let limiter = |interval, burst| {
            let quota = Quota::with_period(interval).unwrap_or(Quota::per_second(NonZeroU32::MIN));
            RateLimiter::dashmap_with_clock(
                quota.allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN)),
                clock.clone(),
            )
        };
        Self {
            accounts: limiter(ACCOUNT_INTERVAL, SIGN_IN_FAILURES_PER_ACCOUNT),
            addresses: limiter(ADDRESS_INTERVAL, SIGN_IN_FAILURES_PER_ADDRESS),
            sign_ups: limiter(ADDRESS_INTERVAL, SIGN_UPS_PER_ADDRESS),
            clock,
            blocked_until: Cache::builder().max_capacity(MAX_ENTRIES).time_to_live(ACCOUNT_INTERVAL * 2).build(),
            known: Cache::builder().max_capacity(MAX_ENTRIES).time_to_idle(KNOWN_FOR).build(),
            running: Arc::default(),
        }
    }
}

impl SignInAttempts {
    /// Begins an attempt, unless too many have failed or are being verified: all at once would pass before one has
    /// failed.
    pub fn begin(&self, username: &str, address: IpAddr) -> Result<Attempt, Problem> {
        self.begin_all(self.keys(username, address))
    }

    /// Begins a sign-up, unless too many have begun at this address. Each counts, because each hashes a password and may
    /// insert a row.
    pub fn begin_sign_up(&self, address: IpAddr) -> Result<Attempt, Problem> {
        let key = Key::SignUp(client_network(address));
        let attempt = self.begin_all(vec![key.clone()])?;
        self.count(key);
        Ok(attempt)
    }

    fn begin_all(&self, keys: Vec<Key>) -> Result<Attempt, Problem> {
        self.must_be_allowed(&keys)?;
        let mut running = lock(&self.running);
        if keys.iter().any(|key| running.get(key).is_some_and(|count| *count >= key.limit())) {
            return Err(too_many(1));
        }
        for key in &keys {
            *running.entry(key.clone()).or_default() += 1;
        }
        Ok(Attempt { running: Arc::clone(&self.running), keys })
    }

    /// The limits of an attempt.
    fn keys(&self, username: &str, address: IpAddr) -> Vec<Key> {
        let (username, address) = (username.to_owned(), client_network(address));
        if self.known.contains_key(&(username.clone(), address)) {
            vec![Key::Known(username, address)]
        } else {
            vec![Key::Account(username), Key::Address(address)]
        }
    }

    /// Refuses an attempt after too many failures, with the time to wait.
    fn must_be_allowed(&self, keys: &[Key]) -> Result<(), Problem> {
        let now = Instant::now();
        match keys.iter().filter_map(|key| self.blocked_until.get(key)).filter(|until| *until > now).max() {
            None => Ok(()),
            Some(until) => Err(too_many(u32::try_from((until - now).as_secs() + 1).unwrap_or(u32::MAX))),
        }
    }

    pub fn failed(&self, username: &str, address: IpAddr) {
        self.keys(username, address).into_iter().for_each(|key| self.count(key));
    }

    fn count(&self, key: Key) {
        let limiter = match &key {
            Key::Account(_) | Key::Known(..) => &self.accounts,
            Key::Address(_) => &self.addresses,
            Key::SignUp(_) => &self.sign_ups,
        };
        if let Err(early) = limiter.check_key(&key) {
            let wait = early.wait_time_from(self.clock.now());
            self.blocked_until.insert(key, Instant::now() + wait);
        }
        if limiter.len() % CLEAN_EVERY == CLEAN_EVERY - 1 {
            limiter.retain_recent();
        }
    }

    pub fn succeeded(&self, username: &str, address: IpAddr) {
        self.known.insert((username.to_owned(), client_network(address)), ());
    }
}

fn too_many(wait_seconds: u32) -> Problem {
    let detail = "Too many sign-ins have failed, or too many accounts were created, for this account or from this \
        address: wait and try again";
    Problem::new(Code::RateLimited, detail).retry_after(wait_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    impl SignInAttempts {
        fn is_allowed(&self, username: &str, address: IpAddr) -> bool {
            self.must_be_allowed(&self.keys(username, address)).is_ok()
        }
    }

    #[test]
    fn failures_block_an_account_except_where_it_has_signed_in() {
        let attempts = SignInAttempts::default();
        attempts.succeeded("ada", HOME);
        for _ in 0..=SIGN_IN_FAILURES_PER_ACCOUNT {
            assert!(attempts.is_allowed("ada", ELSEWHERE));
            attempts.failed("ada", ELSEWHERE);
        }
        assert!(!attempts.is_allowed("ada", ELSEWHERE));
        assert!(attempts.is_allowed("ada", HOME));
        assert!(attempts.is_allowed("bo", ELSEWHERE));
    }

    #[test]
    fn attempts_at_once_are_limited_like_failures() {
        let attempts = SignInAttempts::default();
        let begin = || attempts.begin("ada", ELSEWHERE);
        let running: Vec<Attempt> = (0..SIGN_IN_FAILURES_PER_ACCOUNT).map_while(|_| begin().ok()).collect();
        assert_eq!(running.len(), SIGN_IN_FAILURES_PER_ACCOUNT as usize);
        assert!(begin().is_err() && attempts.begin("bo", ELSEWHERE).is_ok());
        drop(running);
        assert!(begin().is_ok());
    }

    #[test]
    fn failures_block_an_address_for_all_accounts() {
        let attempts = SignInAttempts::default();
        for n in 0..=SIGN_IN_FAILURES_PER_ADDRESS {
            attempts.failed(&format!("guess-{n}"), ELSEWHERE);
        }
        assert!(!attempts.is_allowed("ada", ELSEWHERE));
        assert!(attempts.is_allowed("ada", HOME));
    }

    #[test]
    fn a_person_who_has_signed_in_from_an_address_has_a_limit_of_their_own_there() {
        let attempts = SignInAttempts::default();
        attempts.succeeded("ada", HOME);
        for n in 0..=SIGN_IN_FAILURES_PER_ADDRESS {
            attempts.failed(&format!("guess-{n}"), HOME);
        }
        assert!(!attempts.is_allowed("bo", HOME) && attempts.is_allowed("ada", HOME));
        for _ in 0..=SIGN_IN_FAILURES_PER_ACCOUNT {
            attempts.failed("ada", HOME);
        }
        assert!(!attempts.is_allowed("ada", HOME));
    }

    #[test]
    fn an_ipv6_client_is_its_network() {
        let attempts = SignInAttempts::default();
        let address = |last: u16| IpAddr::from([0x2001, 0xdb8, 0, 1, 0, 0, 0, last]);
        for n in 0..=SIGN_IN_FAILURES_PER_ADDRESS {
            attempts.failed(&format!("guess-{n}"), address(n as u16));
        }
        assert!(!attempts.is_allowed("ada", address(9999)));
        assert!(attempts.is_allowed("ada", IpAddr::from([0x2001, 0xdb8, 0, 2, 0, 0, 0, 1])));
    }

    #[test]
    fn sign_ups_are_limited_by_address() {
        let attempts = SignInAttempts::default();
        for _ in 0..=SIGN_UPS_PER_ADDRESS {
            assert!(attempts.begin_sign_up(HOME).is_ok());
        }
        assert!(attempts.begin_sign_up(HOME).is_err() && attempts.begin_sign_up(ELSEWHERE).is_ok());
        let running: Vec<Attempt> =
            (0..SIGN_UPS_AT_ONCE).map_while(|_| attempts.begin_sign_up(ELSEWHERE).ok()).collect();
        assert_eq!(running.len(), SIGN_UPS_AT_ONCE as usize);
        assert!(attempts.begin_sign_up(ELSEWHERE).is_err() && attempts.begin("ada", ELSEWHERE).is_ok());
    }
}
