//! Times of the log, decoded without a panic: one row with a time that cannot be represented must not fail the others.

use chrono::{DateTime, Utc};
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Decode, Type};
use taskfold_domain::Timestamp;

/// Microseconds from 1970 to 2000, the epoch of PostgreSQL.
const EPOCH: i64 = 946_684_800_000_000;

/// A time clamped to the bounds of [`Timestamp`]. PostgreSQL has times outside them, and infinite ones, on which sqlx
/// panics.
#[derive(Clone, Copy, Debug)]
pub struct StoredTime(Timestamp);

impl Type<Postgres> for StoredTime {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }
}

impl<'r> Decode<'r, Postgres> for StoredTime {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let micros = <i64 as Decode<'r, Postgres>>::decode(value)?;
                Ok(Self(Timestamp::from_micros(micros.saturating_add(EPOCH))))
            }
            PgValueFormat::Text => <DateTime<Utc> as Decode<'r, Postgres>>::decode(value).map(|time| Self(time.into())),
        }
    }
}

impl StoredTime {
    pub fn time(&self) -> Timestamp {
        self.0
    }
}

impl From<StoredTime> for DateTime<Utc> {
    fn from(time: StoredTime) -> Self {
        time.0.utc()
    }
}
