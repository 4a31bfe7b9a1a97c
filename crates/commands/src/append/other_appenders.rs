//! Detection of other processes that append to the same log.

use std::ops::RangeInclusive;

use super::{Outcome, Recorded};

/// Other appending processes, noticed by the positions that they take between the batches of this one.
#[derive(Default)]
pub struct OtherAppenders {
    /// The last position of the last batch.
    last: Option<i64>,
    active: bool,
}

impl OtherAppenders {
    /// Returns `true` if another process appended between the last two batches.
    pub fn are_active(&self) -> bool {
        self.active
    }

    pub fn learn(&mut self, batch: Option<RangeInclusive<i64>>) {
        if let Some(positions) = batch {
            self.active = self.last.is_some_and(|before| *positions.start() > before + 1);
            self.last = Some(*positions.end());
        }
    }
}

/// Positions of a batch, from its first to its last event.
pub fn positions(batch: &[Outcome]) -> Option<RangeInclusive<i64>> {
    let appended = || {
        batch.iter().filter_map(|outcome| match outcome {
            Outcome::Appended(Recorded { first_position, last_position, .. }) if first_position <= last_position => {
                Some((*first_position, *last_position))
            }
            Outcome::Appended(_)
            | Outcome::Duplicate(_)
            | Outcome::Reused
            | Outcome::Conflict
            | Outcome::Guard
            | Outcome::Taken
            | Outcome::Cycle
            | Outcome::Rank
            | Outcome::Wip
            | Outcome::NotEmpty => None,
        })
    };
    Some(appended().map(|(first, _)| first).min()?..=appended().map(|(_, last)| last).max()?)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn recorded(first_position: i64, last_position: i64) -> Recorded {
        Recorded {
            first_position,
            last_position,
            version: 1,
            aggregate_id: Uuid::nil(),
            created_id: None,
            created: false,
            recorded_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    fn appended(first_position: i64, last_position: i64) -> Outcome {
        Outcome::Appended(recorded(first_position, last_position))
    }

    #[test]
    fn positions_between_two_batches_belong_to_other_appenders() {
        let mut others = OtherAppenders::default();
        others.learn(Some(5..=5));
        assert!(!others.are_active(), "what came before the first batch may be of long ago");
        others.learn(positions(&[appended(6, 7), appended(8, 8)]));
        assert!(!others.are_active());
        others.learn(Some(10..=10));
        assert!(others.are_active());
        others.learn(Some(11..=11));
        assert!(!others.are_active());
    }

    #[test]
    fn refused_and_repeated_commands_say_nothing_about_other_appenders() {
        let batch = [Outcome::Duplicate(recorded(2, 2)), Outcome::Conflict, appended(6, 5)];
        assert_eq!(positions(&batch), None);
        let mut others = OtherAppenders::default();
        others.learn(Some(5..=5));
        others.learn(None);
        others.learn(Some(6..=6));
        assert!(!others.are_active());
    }
}
