//! Limits of failed sign-ins, per account and per address. Only failures count. Whoever has signed in from an address
//! before is not held up there by somebody who guesses elsewhere.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use moka::sync::Cache;
use taskfold_domain::limits::{SIGN_IN_FAILURES_PER_ACCOUNT, SIGN_IN_FAILURES_PER_ADDRESS};
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
}

/// Failed sign-ins on this instance.
pub struct SignInAttempts {
    accounts: DefaultKeyedRateLimiter<Key>,
    addresses: DefaultKeyedRateLimiter<Key>,
    clock: DefaultClock,
    blocked_until: Cache<Key, Instant>,
    /// Accounts and addresses from which they have signed in.
    known: Cache<(String, IpAddr), ()>,
    /// Attempts that are being verified.
    running: Arc<Mutex<HashMap<Key, u32>>>,
}

/// An attempt that is being verified.
pub struct Attempt {
    running: Arc<Mutex<HashMap<Key, u32>>>,
    keys: [Key; 2],
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
        self.must_be_allowed(username, address)?;
        let keys = [Key::Account(username.to_owned()), Key::Address(address)];
        let limits = [SIGN_IN_FAILURES_PER_ACCOUNT, SIGN_IN_FAILURES_PER_ADDRESS];
        let mut running = lock(&self.running);
        if keys.iter().zip(limits).any(|(key, limit)| running.get(key).is_some_and(|count| *count >= limit)) {
            return Err(too_many(1));
        }
        for key in &keys {
            *running.entry(key.clone()).or_default() += 1;
        }
        Ok(Attempt { running: Arc::clone(&self.running), keys })
    }

    /// Refuses an attempt after too many failures, with the time to wait.
    fn must_be_allowed(&self, username: &str, address: IpAddr) -> Result<(), Problem> {
        let known = self.known.contains_key(&(username.to_owned(), address));
        let account = (!known).then(|| Key::Account(username.to_owned()));
        let now = Instant::now();
        let until = [account, Some(Key::Address(address))].into_iter().flatten();
        match until.filter_map(|key| self.blocked_until.get(&key)).filter(|until| *until > now).max() {
            None => Ok(()),
            Some(until) => Err(too_many(u32::try_from((until - now).as_secs() + 1).unwrap_or(u32::MAX))),
        }
    }

    pub fn failed(&self, username: &str, address: IpAddr) {
        let keys = [(&self.accounts, Key::Account(username.to_owned())), (&self.addresses, Key::Address(address))];
        for (limiter, key) in keys {
            if let Err(early) = limiter.check_key(&key) {
                let wait = early.wait_time_from(self.clock.now());
                self.blocked_until.insert(key, Instant::now() + wait);
            }
            if limiter.len() % CLEAN_EVERY == CLEAN_EVERY - 1 {
                limiter.retain_recent();
            }
        }
    }

    pub fn succeeded(&self, username: &str, address: IpAddr) {
        self.known.insert((username.to_owned(), address), ());
    }
}

fn too_many(wait_seconds: u32) -> Problem {
    let detail = "Too many sign-ins have failed for this account or from this address: wait and try again";
    Problem::new(Code::RateLimited, detail).retry_after(wait_seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const ELSEWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

    #[test]
    fn failures_block_an_account_except_where_it_has_signed_in() {
        let attempts = SignInAttempts::default();
        attempts.succeeded("ada", HOME);
        for _ in 0..=SIGN_IN_FAILURES_PER_ACCOUNT {
            assert!(attempts.must_be_allowed("ada", ELSEWHERE).is_ok());
            attempts.failed("ada", ELSEWHERE);
        }
        assert!(attempts.must_be_allowed("ada", ELSEWHERE).is_err());
        assert!(attempts.must_be_allowed("ada", HOME).is_ok());
        assert!(attempts.must_be_allowed("bo", ELSEWHERE).is_ok());
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
        assert!(attempts.must_be_allowed("ada", ELSEWHERE).is_err());
        assert!(attempts.must_be_allowed("ada", HOME).is_ok());
    }
}
