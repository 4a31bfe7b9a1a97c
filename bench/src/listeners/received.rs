//! Record of the positions that a listener received, and the check of it against the published positions.

use serde::{Deserialize, Serialize};

/// Positions that one listener received: enough to check, once all positions are known, that each came once and in
/// order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Position at which its first stream began.
    pub from: Option<u64>,
    /// Id of the last frame that had one.
    pub cursor: u64,
    /// Number of Changes.
    pub count: u64,
    /// Sum over all their positions.
    sum: u64,
    /// Number of Changes at or before the cursor: repeated or too late.
    pub doubled: u64,
}

impl Received {
    pub fn hello(&mut self, position: u64) {
        if self.from.is_none() {
            self.from = Some(position);
            self.cursor = position;
        }
    }

    pub fn change(&mut self, position: u64) {
        if position <= self.cursor {
            self.doubled += 1;
            return;
        }
        self.cursor = position;
        self.count += 1;
        self.sum = self.sum.wrapping_add(spread(position));
    }

    pub fn served(&mut self, upto: u64) {
        self.cursor = self.cursor.max(upto);
    }
}

/// All positions of a channel, each of which its listeners must have received.
pub struct ExpectedPositions {
    positions: Vec<u64>,
    /// `sums[i]` over the first i positions.
    sums: Vec<u64>,
}

impl ExpectedPositions {
    pub fn new(mut positions: Vec<u64>) -> Self {
        positions.sort_unstable();
        let mut sum = 0_u64;
        let sums = std::iter::once(0).chain(positions.iter().map(|position| {
            sum = sum.wrapping_add(spread(*position));
            sum
        }));
        Self { sums: sums.collect(), positions }
    }

    /// Number of missing positions. A Change that is out of order counts as missing.
    pub fn missing(&self, received: &Received) -> u64 {
        let from = received.from.unwrap_or(0);
        let before = self.positions.partition_point(|position| *position <= from);
        let due = (self.positions.len() - before) as u64;
        let sum = self.sums[self.positions.len()].wrapping_sub(self.sums[before]);
        match due.abs_diff(received.count) {
            0 => u64::from(sum != received.sum),
            difference => difference,
        }
    }
}

/// Hash that makes sums of different sets of positions differ (splitmix64).
fn spread(position: u64) -> u64 {
    let mut x = position.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(from: u64, positions: &[u64]) -> Received {
        let mut received = Received::default();
        received.hello(from);
        positions.iter().for_each(|position| received.change(*position));
        received
    }

    #[test]
    fn a_listener_with_all_frames_since_it_connected_misses_none() {
        let expected = ExpectedPositions::new(vec![7, 3, 5, 11]);
        assert_eq!(expected.missing(&received(0, &[3, 5, 7, 11])), 0);
        assert_eq!(expected.missing(&received(5, &[7, 11])), 0);
        assert_eq!(expected.missing(&received(11, &[])), 0);
    }

    #[test]
    fn missing_frames_and_those_of_other_projects_are_detected() {
        let expected = ExpectedPositions::new(vec![3, 5, 7, 11]);
        assert_eq!(expected.missing(&received(0, &[3, 7, 11])), 1);
        assert_eq!(expected.missing(&received(0, &[3, 5, 8, 11])), 1);
        assert_eq!(expected.missing(&received(0, &[4, 5, 6, 11])), 1);
    }

    #[test]
    fn duplicate_and_late_frames_are_counted_once_each() {
        let twice = received(0, &[3, 5, 5, 4, 7]);
        assert_eq!((twice.doubled, twice.count), (2, 3));
        let mut beyond = received(0, &[3]);
        beyond.served(9);
        beyond.change(5);
        assert_eq!(beyond.doubled, 1);
    }
}
