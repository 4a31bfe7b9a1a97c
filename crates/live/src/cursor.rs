//! How far a stream has been served. A position has two places in it: first what the caller is told of its event on the
//! channel `me`, then the event itself. So a connection that breaks between the two goes on between the two.

use std::fmt;
use std::str::FromStr;

/// Up to where a stream is served, in half positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(i64);

impl Cursor {
    /// Behind the event of this position, and all that belongs to it.
    pub const fn behind(position: i64) -> Self {
        Self(position.saturating_mul(2))
    }

    /// Behind what is told of the event of this position, and before the event.
    pub const fn told(position: i64) -> Self {
        Self(position.saturating_mul(2).saturating_sub(1))
    }

    /// The last position whose event is served.
    pub const fn position(self) -> i64 {
        self.0.div_euclid(2)
    }

    /// The last position of whose event the caller is told.
    pub const fn told_position(self) -> i64 {
        self.0.saturating_add(1).div_euclid(2)
    }

    /// As an `id:` is written, with the epoch of the log that it is of: `1042`, `1041.5`, and behind the n-th adoption of the log `1042-<n>`.
    pub fn parse(text: &str) -> Option<(Self, usize)> {
        let (cursor, epoch) = match text.split_once('-') {
            Some((cursor, epoch)) => (cursor, digits(epoch)?),
            None => (text, 0),
        };
        let (position, half) = cursor.strip_suffix(".5").map_or((cursor, 0), |position| (position, 1));
        let position: i64 = digits(position)?;
        Some((Self(position.checked_mul(2)?.checked_add(half)?), epoch))
    }

    /// As an `id:` of this epoch.
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
    fn what_is_told_of_an_event_comes_before_it_and_behind_the_one_before() {
        assert!(Cursor::behind(6) < Cursor::told(7) && Cursor::told(7) < Cursor::behind(7));
        assert_eq!((Cursor::told(7).position(), Cursor::told(7).told_position()), (6, 7));
        assert_eq!((Cursor::behind(7).position(), Cursor::behind(7).told_position()), (7, 7));
    }

    #[test]
    fn an_id_is_read_as_it_was_written() {
        for cursor in [Cursor::behind(0), Cursor::told(1), Cursor::behind(1042), Cursor::told(1042)] {
            for epoch in [0, 1, 12] {
                assert_eq!(Cursor::parse(&cursor.id(epoch)), Some((cursor, epoch)));
            }
        }
        for bad in ["", ".5", "-1", "1.4", "1.50", "9223372036854775807", "x", "1-", "-", "1-x", "1-1-1"] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
