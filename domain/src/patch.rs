//! RFC 7396 merge patch on typed fields: `None` = absent = unchanged, `Some(None)` = null = cleared.

use serde::{Deserialize, Deserializer};

/// Deserializer for `#[serde(default, deserialize_with = "patch::present")]` on an `Option<Option<T>>`.
pub fn present<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::<T>::deserialize(deserializer).map(Some)
}

/// Deserializer for a field that may be absent but not null.
pub fn not_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
