//! Lists in pages: the limit, the cursor and the way to the next page.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use taskfold_web::Problem;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::error::{ReadError, invalid_cursor};
use super::values::Position;

const DEFAULT_LIMIT: i64 = 50;
const MAX_LIMIT: i64 = 200;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Send it as `cursor` for the next page; null at the end.
    pub next_cursor: Option<String>,
}

/// What a list without filters is asked.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// From 1 to 200, 50 by default.
    pub limit: Option<i64>,
    pub cursor: Option<String>,
    /// Answer only with what reflects this position.
    #[param(value_type = Option<u64>)]
    pub min_position: Option<Position>,
}

/// How many items a page may have.
pub fn limit(asked: Option<i64>) -> Result<i64, ReadError> {
    bounded("/limit", asked, DEFAULT_LIMIT, MAX_LIMIT)
}

pub fn bounded(pointer: &str, asked: Option<i64>, default: i64, max: i64) -> Result<i64, ReadError> {
    match asked {
        None => Ok(default),
        Some(n) if (1..=max).contains(&n) => Ok(n),
        Some(_) => Err(Problem::invalid_field(pointer, format!("must be from 1 to {max}")).into()),
    }
}

/// The place behind the last item of a page: its sort key and its id. Opaque to callers, and good for the one list,
/// with the same filters in the same order, that it was made for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    list: String,
    pub key: String,
    pub id: Uuid,
}

/// Names a list: which it is, of what, with which filters and in which order.
#[derive(Clone, Debug)]
pub struct ListName(String);

impl ListName {
    pub fn new(name: &str, of: Uuid, filters: &impl Serialize) -> Self {
        let filters = serde_json::to_string(filters).unwrap_or_default();
        let digest = Sha256::digest(format!("{name}\n{of}\n{filters}"));
        Self(BASE64_URL_SAFE_NO_PAD.encode(&digest[..9]))
    }

    pub fn read(&self, cursor: Option<&str>) -> Result<Option<Cursor>, ReadError> {
        let Some(text) = cursor else { return Ok(None) };
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid_cursor())?;
        let cursor: Cursor = serde_json::from_slice(&json).map_err(|_| invalid_cursor())?;
        if cursor.list == self.0 { Ok(Some(cursor)) } else { Err(invalid_cursor()) }
    }

    /// Makes a page of what was read with a limit of one more than `limit`: the one more says that there is a next page.
    pub fn page<R, T>(
        &self,
        mut rows: Vec<R>,
        limit: i64,
        place: impl Fn(&R) -> (String, Uuid),
        item: impl FnMut(R) -> T,
    ) -> Page<T> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| more).map(|last| {
            let (key, id) = place(last);
            let json = serde_json::to_vec(&Cursor { list: self.0.clone(), key, id }).unwrap_or_default();
            BASE64_URL_SAFE_NO_PAD.encode(json)
        });
        Page { items: rows.into_iter().map(item).collect(), next_cursor }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(filters: &str) -> ListName {
        ListName::new("tasks", Uuid::nil(), &filters)
    }

    #[test]
    fn a_cursor_leads_behind_the_last_item_of_its_page() {
        let page = name("a").page(vec![1, 2, 3], 2, |n| (n.to_string(), Uuid::from_u128(7)), |n| n);
        assert_eq!(page.items, [1, 2]);
        let cursor = name("a").read(page.next_cursor.as_deref()).expect("ours").expect("there is a next page");
        assert_eq!((cursor.key.as_str(), cursor.id), ("2", Uuid::from_u128(7)));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        let page = name("a").page(vec![1, 2], 2, |n| (n.to_string(), Uuid::nil()), |n| n);
        assert_eq!(page.next_cursor, None);
    }

    #[test]
    fn a_cursor_of_another_list_or_of_nobody_is_refused() {
        let page = name("a").page(vec![1, 2], 1, |n| (n.to_string(), Uuid::nil()), |n| n);
        assert!(name("b").read(page.next_cursor.as_deref()).is_err());
        for bad in ["", "!", "AAAA", "e30", "bnVsbA"] {
            assert!(name("a").read(Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_are_bounded() {
        assert_eq!(limit(None).expect("default"), 50);
        assert_eq!(limit(Some(200)).expect("the most"), 200);
        for bad in [0, -1, 201, i64::MAX] {
            assert!(limit(Some(bad)).is_err(), "{bad}");
        }
    }
}
