//! Cursor of a stream: the point in the log up to which it has been served.
//!
//! Each position has two points: one after the personal frames of the event (channel `me`), and one after the event
//! itself. A connection that breaks between the two resumes between the two.

use std::fmt;
use std::str::FromStr;

/// Point up to which a stream has been served, in half positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(i64);

impl Cursor {
    /// Point after the event of this position and everything that belongs to it.
    pub const fn after(position: i64) -> Self {
        Self(position.saturating_mul(2))
    }

    /// Point after the personal frames of this position, and before its event.
    pub const fn before(position: i64) -> Self {
        Self(position.saturating_mul(2).saturating_sub(1))
    }

    /// Last position whose event has been served.
    pub const fn position(self) -> i64 {
        self.0.div_euclid(2)
    }

    /// Last position whose personal frames have been served.
    pub const fn personal_position(self) -> i64 {
        self.0.saturating_add(1).div_euclid(2)
    }

    /// Parses the `id:` of a frame into its cursor and the epoch of its log: `1042`, `1041.5`, and `1042-<n>` after the
    /// n-th adoption of the log.
    pub fn parse(text: &str) -> Option<(Self, usize)> {
        let (cursor, epoch) = match text.split_once('-') {
            Some((cursor, epoch)) => (cursor, digits(epoch)?),
            None => (text, 0),
        };
        let (position, half) = cursor.strip_suffix(".5").map_or((cursor, 0), |position| (position, 1));
        let position: i64 = digits(position)?;
        Some((Self(position.checked_mul(2)?.checked_add(half)?), epoch))
    }

    /// Formats the cursor as the `id:` of a frame in this epoch.
    pub fn id(self, epoch: usize) -> String {
        match epoch {
            0 => self.to_string(),
            epoch => format!("{self}-{epoch}"),
        }
    }
}

fn digits<T: FromStr>(text: &str) -> Option<T> {
    let all = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    all.then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let half = if self.0 % 2 == 0 { "" } else { ".5" };
        write!(f, "{}{half}", self.position())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_frames_of_an_event_come_before_it_and_after_the_previous_event() {
        assert!(Cursor::after(6) < Cursor::before(7) && Cursor::before(7) < Cursor::after(7));
        assert_eq!((Cursor::before(7).position(), Cursor::before(7).personal_position()), (6, 7));
        assert_eq!((Cursor::after(7).position(), Cursor::after(7).personal_position()), (7, 7));
    }

    #[test]
    fn an_id_is_parsed_back() {
        for cursor in [Cursor::after(0), Cursor::before(1), Cursor::after(1042), Cursor::before(1042)] {
            for epoch in [0, 1, 12] {
                assert_eq!(Cursor::parse(&cursor.id(epoch)), Some((cursor, epoch)));
            }
        }
        for bad in ["", ".5", "-1", "1.4", "1.50", "9223372036854775807", "x", "1-", "-", "1-x", "1-1-1"] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
