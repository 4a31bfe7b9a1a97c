//! Send times of commands, shared between the sender and the receivers without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::time::TimeValLike as _;
use nix::time::{ClockId, clock_gettime};

/// Send time of each command, for those that receive its frame: written by one thread and read by others, without a
/// lock.
pub struct Sent {
    /// Times by command number, as returned by `now`; 0 before the command is sent.
    at: Vec<AtomicU64>,
}

impl Sent {
    pub fn new(commands: usize) -> Self {
        Self { at: (0..commands).map(|_| AtomicU64::new(0)).collect() }
    }

    pub fn commands(&self) -> usize {
        self.at.len()
    }

    /// Nanoseconds of a clock that all processes of the machine share, never 0.
    pub fn now(&self) -> u64 {
        clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(1, |time| time.num_nanoseconds().unsigned_abs().max(1))
    }

    pub fn set(&self, command: usize, at: u64) {
        if let Some(cell) = self.at.get(command) {
            cell.store(at, Ordering::Release);
        }
    }

    pub fn get(&self, command: usize) -> Option<u64> {
        self.at.get(command).map(|at| at.load(Ordering::Acquire)).filter(|at| *at > 0)
    }
}

/// Duration between two times in nanoseconds.
pub fn between(from: u64, to: u64) -> Duration {
    Duration::from_nanos(to.saturating_sub(from))
}
