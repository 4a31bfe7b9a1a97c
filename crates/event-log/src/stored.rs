//! Columns of the log as they are read: whatever stands there, reading a row never fails, so that one row keeps nobody from the others.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgTypeInfo, PgValueFormat, PgValueRef, Postgres};
use sqlx::{Decode, Type};
use taskfold_domain::Timestamp;

use crate::words::with_words;

/// Microseconds from 1970 to 2000, from where PostgreSQL counts.
const EPOCH: i64 = 946_684_800_000_000;

/// A time within the bounds of [`Timestamp`]: PostgreSQL has times before and behind them, and infinite ones, on which sqlx panics.
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

/// The text of a payload, as it was written. PostgreSQL does not look into it: its functions for JSON fail on an escape that is no
/// character, and with it the statement for all other rows.
pub struct PayloadText(String);

impl Type<Postgres> for PayloadText {
    fn type_info() -> PgTypeInfo {
        <String as Type<Postgres>>::type_info()
    }
}

impl<'r> Decode<'r, Postgres> for PayloadText {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        <String as Decode<'r, Postgres>>::decode(value).map(Self)
    }
}

impl PayloadText {
    /// Its `changes` with their words; `None` where it has none.
    pub fn changes(self, words: &[Option<String>]) -> Option<String> {
        #[derive(Deserialize)]
        struct Payload<'a> {
            #[serde(borrow)]
            changes: &'a RawValue,
        }
        let payload = with_words(self.0, words);
        serde_json::from_str::<Payload<'_>>(&payload).ok().map(|payload| payload.changes.get().to_owned())
    }
}
