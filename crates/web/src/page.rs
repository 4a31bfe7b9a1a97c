//! Lists in pages: limits, and pages of rows. What a cursor contains is up to the list.

use serde::Serialize;
use sha2::{Digest, Sha256};
use taskfold_domain::limits::{PAGE_DEFAULT, PAGE_MAX};
use utoipa::ToSchema;

use crate::problem::Problem;

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Cursor of the next page, to send as `cursor`; null on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of at most `limit` of the rows, which were selected with [`row_limit`]. `cursor`: the cursor after a row.
    pub fn new(mut rows: Vec<T>, limit: i64, cursor: impl FnOnce(&T) -> String) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_next = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows.last().filter(|_| has_next).map(cursor);
        Self { items: rows, next_cursor }
    }

    /// The only page of a list that is short by its own limits.
    pub fn complete(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    pub fn map<U>(self, item: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(item).collect(), next_cursor: self.next_cursor }
    }
}

/// Number of items of a page.
pub fn limit(requested: Option<i64>) -> Result<i64, Problem> {
    bounded("/limit", requested, PAGE_DEFAULT, PAGE_MAX)
}

/// A number from 1 to `max`, or the default. `pointer`: the parameter, for the problem.
pub fn bounded(pointer: &str, requested: Option<i64>, default: i64, max: i64) -> Result<i64, Problem> {
    match requested {
        None => Ok(default),
        Some(n) if (1..=max).contains(&n) => Ok(n),
        Some(_) => Err(Problem::invalid_field(pointer, format!("must be from 1 to {max}"))),
    }
}

/// Number of rows to select for a page: one more than its limit, which shows that there is a next page.
pub fn row_limit(limit: i64) -> i64 {
    limit.saturating_add(1)
}

/// Digest of the identity of a list, by which a cursor of another list is recognized. `N`: at most 32.
pub fn list_digest<const N: usize>(identity: &str) -> [u8; N] {
    let digest = Sha256::digest(identity);
    std::array::from_fn(|index| digest[index])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_a_cursor_if_there_are_more_rows() {
        let page = Page::new(vec![1, 2, 3], 2, ToString::to_string);
        assert_eq!((page.items, page.next_cursor.as_deref()), (vec![1, 2], Some("2")));
        let last = Page::new(vec![1, 2], 2, ToString::to_string).map(|n| n * 2);
        assert_eq!((last.items, last.next_cursor), (vec![2, 4], None));
    }

    #[test]
    fn limits_are_bounded() {
        assert_eq!(limit(None).expect("default"), 50);
        assert_eq!(limit(Some(200)).expect("the maximum"), 200);
        for bad in [0, -1, 201, i64::MAX] {
            assert!(limit(Some(bad)).is_err(), "{bad}");
        }
    }
}
