//! Jitter that keeps ranks distinct.

use std::sync::atomic::{AtomicU32, Ordering};

use taskfold_domain::Rank;
use taskfold_event_log::Clock;

/// Jitter for ranks: what distinguishes tasks created in one millisecond. Random values would collide (two of twenty
/// about once in twenty milliseconds), and the append call would be repeated. So a process uses every value before one
/// comes again, in steps of its own, so that two processes collide only by chance.
pub struct Jitter {
    next: AtomicU32,
    step: u32,
}

impl Jitter {
    pub fn new(clock: &Clock) -> Self {
        // All bits at both ends of a UUIDv4 are random.
        let random = clock.random_id().as_u128();
        Self::from((random >> 96) as u32, random as u32)
    }

    fn from(first: u32, step: u32) -> Self {
        let step = (step % Rank::JITTERS..Rank::JITTERS).find(|step| are_coprime(*step, Rank::JITTERS)).unwrap_or(1);
        Self { next: AtomicU32::new(first % Rank::JITTERS), step }
    }

    pub fn next(&self) -> u32 {
        self.next.fetch_add(self.step, Ordering::Relaxed)
    }
}

fn are_coprime(mut a: u32, mut b: u32) -> bool {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use taskfold_domain::Timestamp;

    use super::*;

    #[test]
    fn the_ranks_of_a_millisecond_repeat_only_after_all_were_used() {
        let at = Timestamp::from(chrono::DateTime::UNIX_EPOCH);
        for (first, step) in [(0, 0), (17, 2), (5, 31 * 61), (u32::MAX, u32::MAX)] {
            let jitter = Jitter::from(first, step);
            let ranks: HashSet<Rank> = (0..Rank::JITTERS).map(|_| Rank::at_end(at, jitter.next())).collect();
            assert_eq!(ranks.len(), Rank::JITTERS as usize, "from {first} in steps of {step}");
        }
    }
}
