//! Lists in pages, by id.

use axum::Json;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::LINK;
use http::{HeaderValue, Uri};
use serde::{Deserialize, Serialize};
use taskfold_web::Problem;
use taskfold_web::page::{self, Page};
use utoipa::IntoParams;
use uuid::Uuid;

/// Length of the digest of a list in a cursor.
const DIGEST_BYTES: usize = 8;

/// Query parameters of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Params {
    /// Number of items, from 1 to 200; 50 by default.
    limit: Option<i64>,
    cursor: Option<String>,
}

/// A request for a page of a list in the order of its ids. They are UUIDv7, so the oldest item is first.
pub struct PageRequest {
    after: Uuid,
    limit: i64,
    list: [u8; DIGEST_BYTES],
}

impl Params {
    /// `name` and `owner` identify the list. A cursor is valid only for the list that it was made for.
    pub fn page_of(&self, name: &str, owner: Uuid) -> Result<PageRequest, Problem> {
        let limit = page::limit(self.limit)?;
        let list = page::list_digest(&format!("{name}\n{owner}"));
        let after = match &self.cursor {
            None => Uuid::nil(),
            Some(cursor) => {
                parse(cursor, list).ok_or_else(|| Problem::invalid_field("/cursor", "is not a cursor of this list"))?
            }
        };
        Ok(PageRequest { after, limit, list })
    }
}

fn parse(cursor: &str, list: [u8; DIGEST_BYTES]) -> Option<Uuid> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
    Uuid::from_slice(bytes.strip_prefix(&list)?).ok()
}

impl PageRequest {
    /// Id after which the page starts.
    pub fn after(&self) -> Uuid {
        self.after
    }

    pub fn row_limit(&self) -> i64 {
        page::row_limit(self.limit)
    }

    /// `id`: id of a row.
    pub fn response<T>(self, uri: &Uri, rows: Vec<T>, id: impl Fn(&T) -> Uuid) -> ListResponse<T> {
        let page = Page::new(rows, self.limit, |last| {
            BASE64_URL_SAFE_NO_PAD.encode([&self.list, id(last).as_bytes().as_slice()].concat())
        });
        // Neither the cursor (base64url) nor the limit needs to be escaped.
        let link = page
            .next_cursor
            .as_ref()
            .map(|cursor| format!("<{}?limit={}&cursor={cursor}>; rel=\"next\"", uri.path(), self.limit));
        ListResponse { page, link }
    }
}

/// A page, with the header `Link` (RFC 8288).
pub struct ListResponse<T> {
    page: Page<T>,
    link: Option<String>,
}

impl<T> ListResponse<T> {
    /// Replaces the items, of which there may be fewer than the page has rows.
    pub fn with_items<U>(self, items: Vec<U>) -> ListResponse<U> {
        ListResponse { page: Page { items, next_cursor: self.page.next_cursor }, link: self.link }
    }

    pub fn items(&self) -> &[T] {
        &self.page.items
    }
}

impl<T: Serialize> IntoResponse for ListResponse<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.page).into_response();
        if let Some(link) = self.link.and_then(|link| HeaderValue::from_str(&link).ok()) {
            response.headers_mut().insert(LINK, link);
        }
        response
    }
}
