use super::Recorded;

/// What a process can tell of others that append to the same log: they leave positions between its own batches.
#[derive(Default)]
pub struct Others {
    /// The last position of the last batch.
    last: Option<i64>,
    append_too: bool,
    company: usize,
}

impl Others {
    /// Whether somebody else has appended between the last two batches.
    pub fn append_too(&self) -> bool {
        self.append_too
    }

    /// How many commands there were at the end of the last batch, in it and behind it: as many may come again.
    pub fn company(&self) -> usize {
        self.company
    }

    pub fn learn(&mut self, batch: &[Recorded], company: usize) {
        let appended =
            || batch.iter().filter(|row| row.outcome == "appended" && row.first_position <= row.last_position);
        let first = appended().map(|row| row.first_position).min();
        let last = appended().map(|row| row.last_position).max();
        if let (Some(first), Some(last)) = (first, last) {
            self.append_too = self.last.is_some_and(|before| first > before + 1);
            self.last = Some(last);
        }
        self.company = company;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(outcome: &str, first_position: i64, last_position: i64) -> Recorded {
        Recorded {
            outcome: outcome.to_owned(),
            first_position,
            last_position,
            version: 1,
            aggregate_id: String::new(),
            created_id: None,
            created: false,
            recorded_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn positions_between_two_batches_are_of_others() {
        let mut others = Others::default();
        others.learn(&[recorded("appended", 5, 5)], 3);
        assert!(!others.append_too(), "what came before the first batch may be of long ago");
        others.learn(&[recorded("appended", 6, 7), recorded("appended", 8, 8)], 3);
        assert!(!others.append_too());
        others.learn(&[recorded("appended", 10, 10)], 3);
        assert!(others.append_too());
        assert_eq!(others.company(), 3);
        others.learn(&[recorded("appended", 11, 11)], 1);
        assert!(!others.append_too());
    }

    #[test]
    fn what_is_refused_or_was_there_before_tells_nothing() {
        let mut others = Others::default();
        others.learn(&[recorded("appended", 5, 5)], 1);
        others.learn(&[recorded("duplicate", 2, 2), recorded("conflict", 9, 8), recorded("appended", 6, 5)], 1);
        others.learn(&[recorded("appended", 6, 6)], 1);
        assert!(!others.append_too());
    }
}
