use std::ops::RangeInclusive;

use super::{Outcome, Recorded};

/// What a process can tell of others that append to the same log: they leave positions between its own batches.
#[derive(Default)]
pub struct Others {
    /// The last position of the last batch.
    last: Option<i64>,
    append_too: bool,
}

impl Others {
    /// Whether somebody else has appended between the last two batches.
    pub fn append_too(&self) -> bool {
        self.append_too
    }

    pub fn learn(&mut self, batch: Option<RangeInclusive<i64>>) {
        if let Some(positions) = batch {
            self.append_too = self.last.is_some_and(|before| *positions.start() > before + 1);
            self.last = Some(*positions.end());
        }
    }
}

/// From the first to the last position that a batch has been given.
pub fn positions(batch: &[Outcome]) -> Option<RangeInclusive<i64>> {
    let appended = || {
        batch.iter().filter_map(|outcome| match outcome {
            Outcome::Appended(Recorded { first_position, last_position, .. }) if first_position <= last_position => {
                Some((*first_position, *last_position))
            }
            _ => None,
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
    fn positions_between_two_batches_are_of_others() {
        let mut others = Others::default();
        others.learn(Some(5..=5));
        assert!(!others.append_too(), "what came before the first batch may be of long ago");
        others.learn(positions(&[appended(6, 7), appended(8, 8)]));
        assert!(!others.append_too());
        others.learn(Some(10..=10));
        assert!(others.append_too());
        others.learn(Some(11..=11));
        assert!(!others.append_too());
    }

    #[test]
    fn what_is_refused_or_was_there_before_tells_nothing() {
        let batch = [Outcome::Duplicate(recorded(2, 2)), Outcome::Conflict, appended(6, 5)];
        assert_eq!(positions(&batch), None);
        let mut others = Others::default();
        others.learn(Some(5..=5));
        others.learn(None);
        others.learn(Some(6..=6));
        assert!(!others.append_too());
    }
}
