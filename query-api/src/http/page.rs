//! Lists in pages, by keyset: the limit, the opaque cursor, and the key after which the rows start.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
pub use taskfold_web::page::{Page, bounded, limit};
use taskfold_web::page::{list_digest, row_limit};
use utoipa::IntoParams;
use uuid::Uuid;

use super::error::{ReadError, invalid_cursor};
use super::values::Position;

/// Query parameters of a list without filters.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Number of items, from 1 to 200; 50 by default.
    pub limit: Option<i64>,
    pub cursor: Option<String>,
    /// Minimum position that the response must reflect.
    #[param(value_type = Option<u64>)]
    pub min_position: Option<Position>,
}

/// Sort key and id of the last item of a page. Opaque to callers, and valid for the list that it was made for, with the
/// same filters and the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    list: String,
    pub key: String,
    pub id: Uuid,
}

/// Identity of a list: its name, its owner, its filters and its order.
#[derive(Clone, Debug)]
pub struct ListName(String);

impl ListName {
    pub fn new(name: &str, owner: Uuid, filters: &impl Serialize) -> Self {
        let filters = serde_json::to_string(filters).unwrap_or_default();
        Self(BASE64_URL_SAFE_NO_PAD.encode(list_digest::<9>(&format!("{name}\n{owner}\n{filters}"))))
    }

    /// Starts a page of at most `limit` items, after the cursor.
    pub fn keyset(self, limit: i64, cursor: Option<&str>) -> Result<Keyset, ReadError> {
        let after = cursor.map(|cursor| self.parse(cursor)).transpose()?;
        Ok(Keyset { list: self, limit, after })
    }

    fn parse(&self, text: &str) -> Result<Cursor, ReadError> {
        let json = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| invalid_cursor())?;
        let cursor: Cursor = serde_json::from_slice(&json).map_err(|_| invalid_cursor())?;
        if cursor.list == self.0 { Ok(cursor) } else { Err(invalid_cursor()) }
    }
}

/// One page of a list, to be read.
#[derive(Clone, Debug)]
pub struct Keyset {
    list: ListName,
    limit: i64,
    pub after: Option<Cursor>,
}

impl Keyset {
    /// Keyset of a list without filters.
    pub fn of(name: &str, owner: Uuid, paging: &Paging) -> Result<Self, ReadError> {
        ListName::new(name, owner, &()).keyset(limit(paging.limit)?, paging.cursor.as_deref())
    }

    /// Sort key after which the page starts. `start`: a key before all others.
    pub fn key<'a>(&'a self, start: &'a str) -> &'a str {
        self.after.as_ref().map_or(start, |cursor| cursor.key.as_str())
    }

    /// Id after which the page starts, among items with the same sort key.
    pub fn id(&self) -> Uuid {
        self.after.as_ref().map_or(Uuid::nil(), |cursor| cursor.id)
    }

    /// Rows to select: one more than the limit, which shows that there is a next page.
    pub fn row_limit(&self) -> i64 {
        row_limit(self.limit)
    }

    /// Makes the page from the selected rows. `key`: sort key and id of a row.
    pub fn page<R, T>(&self, rows: Vec<R>, key: impl Fn(&R) -> (String, Uuid), item: impl FnMut(R) -> T) -> Page<T> {
        let cursor = |last: &R| {
            let (key, id) = key(last);
            let json = serde_json::to_vec(&Cursor { list: self.list.0.clone(), key, id }).unwrap_or_default();
            BASE64_URL_SAFE_NO_PAD.encode(json)
        };
        Page::new(rows, self.limit, cursor).map(item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyset(filters: &str, limit: i64, cursor: Option<&str>) -> Result<Keyset, ReadError> {
        ListName::new("tasks", Uuid::nil(), &filters).keyset(limit, cursor)
    }

    fn page(rows: Vec<i32>, limit: i64) -> Page<i32> {
        keyset("a", limit, None).expect("no cursor").page(rows, |n| (n.to_string(), Uuid::from_u128(7)), |n| n)
    }

    #[test]
    fn a_cursor_points_after_the_last_item_of_its_page() {
        let page = page(vec![1, 2, 3], 2);
        assert_eq!(page.items, [1, 2]);
        let next = keyset("a", 2, page.next_cursor.as_deref()).expect("a cursor of this list");
        assert_eq!((next.key("0"), next.id()), ("2", Uuid::from_u128(7)));
    }

    #[test]
    fn the_last_page_has_no_cursor() {
        assert_eq!(page(vec![1, 2], 2).next_cursor, None);
        let first = keyset("a", 2, None).expect("no cursor");
        assert_eq!((first.key("0"), first.id(), first.row_limit()), ("0", Uuid::nil(), 3));
    }

    #[test]
    fn a_cursor_of_another_list_or_of_nobody_is_refused() {
        let page = page(vec![1, 2], 1);
        assert!(keyset("b", 1, page.next_cursor.as_deref()).is_err());
        for bad in ["", "!", "AAAA", "e30", "bnVsbA"] {
            assert!(keyset("a", 1, Some(bad)).is_err(), "{bad}");
        }
    }
}
