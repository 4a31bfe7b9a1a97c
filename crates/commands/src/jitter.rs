//! Times and jitter that keep ranks distinct and in order.

use std::sync::{Mutex, PoisonError};

use taskfold_domain::{Rank, Timestamp};
use taskfold_event_log::Clock;

/// Steps between the jitters of one process. Two processes that start at different remainders never make the same rank
/// in one millisecond.
const STEP: u32 = 8;
/// Number of steps that the first jitter of a millisecond leaves unused at most.
const FIRST_STEPS: u32 = 64;

/// Times and jitters of ranks at the end of a column: what distinguishes tasks that are placed in one millisecond, and
/// keeps them in the order in which they are decided.
pub struct Jitter {
    /// First jitter of a millisecond.
    first: u32,
    last: Mutex<Last>,
}

#[derive(Clone, Copy)]
struct Last {
    millis: i64,
    jitter: u32,
}

impl Jitter {
    pub fn new(clock: &Clock) -> Self {
        Self::starting_at(clock.random_id().as_u128() as u32)
    }

    fn starting_at(first: u32) -> Self {
        let first = first % (STEP * FIRST_STEPS);
        Self { first, last: Mutex::new(Last { millis: i64::MIN, jitter: first }) }
    }

    /// Returns a time and a jitter whose rank is behind those of all earlier calls: `at`, or a little later if the
    /// clock stood still or went back.
    pub fn behind_all(&self, at: Timestamp) -> (Timestamp, u32) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let next = last.jitter + STEP;
        *last = if at.millis() > last.millis {
            Last { millis: at.millis(), jitter: self.first }
        } else if next < Rank::JITTERS {
            Last { jitter: next, ..*last }
        } else {
            Last { millis: last.millis + 1, jitter: self.first }
        };
        (Timestamp::from_millis(last.millis), last.jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranks(jitter: &Jitter, times: impl IntoIterator<Item = i64>) -> Vec<Rank> {
        let ranked = |at| {
            let (at, jitter) = jitter.behind_all(Timestamp::from_millis(at));
            Rank::at_end(at, jitter)
        };
        times.into_iter().map(ranked).collect()
    }

    #[test]
    fn ranks_are_in_the_order_of_the_calls_also_when_the_clock_stands_or_goes_back() {
        for first in [0, 17, 511, u32::MAX] {
            let times = [std::iter::repeat_n(5, 2_000).collect(), vec![9, 8, 7, 9, 10]].concat();
            let ranks = ranks(&Jitter::starting_at(first), times);
            assert!(ranks.is_sorted_by(|a, b| a < b), "from {first}");
        }
    }

    #[test]
    fn processes_with_different_remainders_make_different_ranks() {
        let [one, other] = [3, 8 + 4].map(|first| ranks(&Jitter::starting_at(first), std::iter::repeat_n(5, 300)));
        assert!(one.iter().all(|rank| !other.contains(rank)));
    }
}
