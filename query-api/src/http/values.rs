//! Values of query parameters, validated when they are parsed.

use chrono::{DateTime, Utc};
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeOwned, Error as _, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize};
use taskfold_domain::Timestamp;
use taskfold_web::Problem;
use taskfold_web::headers;

use super::error::ReadError;
use taskfold_live::{Cursor, Hub};

/// Position of the log. 0 is before the first event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Position(pub i64);

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("must be a position: a non-negative integer"))
    }
}

impl Position {
    /// Parses digits: no sign, no space, and not more than the log can count to.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse().ok()).flatten().map(Self)
    }

    /// Parses a header.
    pub fn of_header(all: &http::HeaderMap, name: &str) -> Result<Option<i64>, ReadError> {
        let Some(text) = headers::one(all, name)? else { return Ok(None) };
        match Self::parse(text) {
            Some(position) => Ok(Some(position.0)),
            None => Err(Problem::invalid_field(
                format!("/{}", name.to_ascii_lowercase()),
                "must be a position: a non-negative integer",
            )
            .into()),
        }
    }
}

/// Cursor as a client sends it: a position, or the `id:` of a frame, which also has the epoch of the log. Without an
/// epoch, it is of the current log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Since {
    pub cursor: Cursor,
    epoch: Option<usize>,
}

impl<'de> Deserialize<'de> for Since {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (cursor, epoch) = Cursor::parse(&text)
            .ok_or_else(|| D::Error::custom("must be a cursor: a position, or the id of a frame such as 1042"))?;
        Ok(Self { cursor, epoch: text.contains('-').then_some(epoch) })
    }
}

impl Since {
    /// Translates the cursor to the current log. 410 if the logs differ before it.
    pub fn resume(self, hub: &Hub) -> Result<Cursor, ReadError> {
        let resumed = self.epoch.map_or(Some(self.cursor), |epoch| hub.resume((self.cursor, epoch)));
        resumed.ok_or_else(|| Problem::log_changed(hub.log(), hub.fork_position(self.epoch)).into())
    }
}

/// Time in the years 0001 to 9999 UTC (RFC 3339).
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Time(pub DateTime<Utc>);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match DateTime::parse_from_rfc3339(&text).ok().and_then(|time| Timestamp::within_bounds(time.to_utc())) {
            Some(time) => Ok(Self(time.utc())),
            None => Err(D::Error::custom("must be a time such as 2026-11-23T09:30:00Z (RFC 3339; write + as %2B)")),
        }
    }
}

/// List of names of variants, separated by commas, such as `todo,running`.
#[derive(Clone, Debug, Serialize)]
pub struct CommaSeparated<T>(pub Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for CommaSeparated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let parse = |name: &str| {
            let name: StrDeserializer<'_, D::Error> = name.into_deserializer();
            T::deserialize(name)
        };
        text.split(',').map(parse).collect::<Result<_, _>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_digits_in_the_range_of_the_log() {
        assert_eq!(Position::parse("0"), Some(Position(0)));
        assert_eq!(Position::parse("9223372036854775807"), Some(Position(i64::MAX)));
        for bad in ["", "-1", "+1", " 1", "1e3", "9223372036854775808", "18446744073709551616", "x"] {
            assert_eq!(Position::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_beyond_four_digits_are_refused() {
        let read = |text: &str| serde_json::from_value::<Time>(text.into());
        assert!(read("2026-11-23T09:30:00Z").is_ok());
        assert!(read("2026-11-23T09:30:00+02:00").is_ok());
        assert!(read("+262000-01-01T00:00:00Z").is_err());
        assert!(read("2026-11-23").is_err());
        assert!(read("9999-12-31T23:59:59-01:00").is_err());
        assert!(read("9999-12-31T23:59:60Z").is_err());
        assert!(read("0001-01-01T00:00:00+01:00").is_err());
        assert_eq!(
            read("2016-12-31T23:59:60Z").ok().map(|time| time.0),
            read("2017-01-01T00:00:00Z").ok().map(|time| time.0)
        );
    }
}
