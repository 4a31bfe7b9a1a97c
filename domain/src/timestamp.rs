//! UTC times, in the range that every part of the system can represent.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// UTC time in microseconds, of the years 0001 to 9999; a leap second is the second behind it.
// PostgreSQL, chrono and RFC 3339 read and write this range alike. Every time is brought into it where it enters, one
// beyond the bounds as the bound, so that an event of the log with such a time can be folded. Times in requests are not
// adjusted: they go through `within_bounds`, and are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(from = "DateTime<Utc>", into = "DateTime<Utc>")]
#[schema(value_type = String, format = DateTime, example = "2026-11-23T09:30:00Z")]
pub struct Timestamp(DateTime<Utc>);

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z, in microseconds since 1970.
const FIRST: i64 = -62_135_596_800_000_000;
const LAST: i64 = 253_402_300_799_999_999;

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        // chrono represents a leap second as the second before it with more than a second of nanoseconds, which add up
        // here.
        Self::from_micros(time.timestamp_micros())
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(time: Timestamp) -> Self {
        time.0
    }
}

impl Timestamp {
    /// From microseconds since 1970; beyond the bounds, the bound.
    pub fn from_micros(micros: i64) -> Self {
        Self(DateTime::from_timestamp_micros(micros.clamp(FIRST, LAST)).unwrap_or_default())
    }

    /// From milliseconds since 1970; beyond the bounds, the bound.
    pub fn from_millis(millis: i64) -> Self {
        Self::from_micros(millis.saturating_mul(1_000))
    }

    /// Checks the bounds. `None` also for a time that exceeds them once its leap second is counted.
    pub fn within_bounds(time: DateTime<Utc>) -> Option<Self> {
        let micros = time.timestamp_micros();
        (FIRST..=LAST).contains(&micros).then(|| Self::from_micros(micros))
    }

    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    pub fn millis(self) -> i64 {
        self.0.timestamp_millis()
    }

    /// Milliseconds since `earlier`; 0 when it is later (clocks differ).
    pub fn millis_since(self, earlier: Self) -> u64 {
        u64::try_from((self.0 - earlier.0).num_milliseconds()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Timestamp> {
        Timestamp::within_bounds(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
    }

    fn written(text: &str) -> Option<String> {
        read(text).and_then(|time| serde_json::to_value(time).ok()?.as_str().map(str::to_owned))
    }

    #[test]
    fn a_leap_second_is_read_as_the_next_second() {
        assert_eq!(written("2016-12-31T23:59:60Z").as_deref(), Some("2017-01-01T00:00:00Z"));
        assert_eq!(written("2016-12-31T23:59:60.25Z").as_deref(), Some("2017-01-01T00:00:00.250Z"));
        assert_eq!(written("2016-12-31T22:59:60-01:00"), written("2016-12-31T23:59:60Z"));
    }

    #[test]
    fn times_are_cut_to_microseconds_on_either_side_of_1970() {
        assert_eq!(written("2026-01-01T00:00:00.123456789Z").as_deref(), Some("2026-01-01T00:00:00.123456Z"));
        assert_eq!(written("1969-12-31T23:59:59.999999999Z").as_deref(), Some("1969-12-31T23:59:59.999999Z"));
    }

    #[test]
    fn bounds_are_those_of_utc() {
        for inside in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "0001-01-01T02:00:00+02:00"] {
            assert!(read(inside).is_some(), "{inside}");
        }
        for outside in
            ["9999-12-31T23:59:60Z", "9999-12-31T23:59:59-00:01", "0001-01-01T00:00:00+00:01", "0000-12-31T23:59:59Z"]
        {
            assert_eq!(read(outside), None, "{outside}");
        }
    }

    #[test]
    fn logged_times_beyond_the_bounds_are_read_as_the_bound() {
        let last = Timestamp::from_micros(i64::MAX);
        assert_eq!(last.utc().to_rfc3339(), "9999-12-31T23:59:59.999999+00:00");
        assert_eq!(serde_json::from_str::<Timestamp>("\"9999-12-31T23:59:60Z\"").ok(), Some(last));
        assert_eq!(serde_json::from_str::<Timestamp>("\"+262142-01-01T00:00:00Z\"").ok(), Some(last));
        assert_eq!(Timestamp::from_micros(i64::MIN).utc().to_rfc3339(), "0001-01-01T00:00:00+00:00");
    }
}
